"""Augmentations: random transformations of training patches."""
