"""KL schemes."""
