"""Optimisers: how the weights of a network follow their gradients."""
