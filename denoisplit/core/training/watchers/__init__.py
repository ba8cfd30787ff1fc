"""Observers of a training: loggers, progress, and watchers of plugins."""
