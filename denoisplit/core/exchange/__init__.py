"""Networks that other programs trained: denoiSplit, muSplit, HDN and CAREamics."""
