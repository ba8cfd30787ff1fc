"""The data of a training: data sets, their checks and splits, and the batches of steps."""
