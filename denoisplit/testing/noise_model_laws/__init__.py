"""Laws of noise models, and the cases on which they are examined."""
