"""Metrics: the rows of the table of ``evaluate``."""
