"""Simulated fluorescence microscopy."""
