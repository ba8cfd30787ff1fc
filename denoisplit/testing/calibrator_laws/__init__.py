"""Laws of calibrators, and the cases on which they are examined."""
