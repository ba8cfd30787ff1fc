"""How an image is cut into tiles: their sizes, surroundings and memory, and whether their borders show."""
