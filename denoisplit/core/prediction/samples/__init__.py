"""Posterior samples of tiles: the passes of the network, and what is kept of them."""
