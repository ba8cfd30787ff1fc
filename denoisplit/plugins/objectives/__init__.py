"""Objectives: terms that a training adds to distortion and rate."""
