"""Whether a new image, of which no truth is known, is one that the model can be trusted with."""
