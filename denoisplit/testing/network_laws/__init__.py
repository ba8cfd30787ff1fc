"""Laws of encoders and decoders, and the cases on which they are examined."""
