"""The steps of a training: batch, loss, update, validation, and the weights that are kept."""
