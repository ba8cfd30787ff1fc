"""Latent noise as a function of place: the same numbers for a pixel, whatever tile it lies in."""
