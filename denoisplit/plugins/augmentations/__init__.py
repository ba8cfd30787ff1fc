"""Augmentations: patches that a training sees in more than one way."""
