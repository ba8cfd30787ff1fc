"""Opened runs: the operations of a trained model, or of a sequence of two."""
