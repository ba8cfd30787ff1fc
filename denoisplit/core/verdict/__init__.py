"""Whether the model can be trusted with a new image, for which no truth is known."""
