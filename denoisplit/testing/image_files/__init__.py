"""Files as denoisplit, other programs and microscopes write them, and what image formats owe them."""
