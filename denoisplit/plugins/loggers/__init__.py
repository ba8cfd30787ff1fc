"""Loggers: where the progress of a training is recorded."""
