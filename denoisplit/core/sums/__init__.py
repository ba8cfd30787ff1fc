"""Sums over regions of an image, from joint posterior samples."""
