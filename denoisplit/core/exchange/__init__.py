"""Import of networks from other programs: denoiSplit, muSplit, HDN and CAREamics."""
