"""Budgets of the hot paths, in counts instead of seconds."""
