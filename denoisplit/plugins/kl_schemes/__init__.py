"""Kl schemes."""
