"""Schedules: how the learning rate changes during training."""
