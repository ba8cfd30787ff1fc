"""Optimisers: how gradients change the weights of a network."""
