"""Laws of KL schemes."""
