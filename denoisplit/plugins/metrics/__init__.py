"""Metrics: the rows of the table that ``evaluate`` prints."""
