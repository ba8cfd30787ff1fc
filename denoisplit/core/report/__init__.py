"""Reports: one self-contained HTML page about a run, or about the prediction of an image."""
