"""Prediction: tiles, latent noise that knows where it is, and posterior moments."""
