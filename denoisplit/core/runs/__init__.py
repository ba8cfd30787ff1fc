"""Runs, opened: what a trained model, or a sequence of two, does."""
