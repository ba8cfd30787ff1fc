"""Prediction: tiles, latent noise that is a function of place, and moments of the posterior."""
