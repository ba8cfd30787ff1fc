"""Laws of data sets, and the folders on which they are examined."""
