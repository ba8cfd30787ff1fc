"""Images: their records, checks, conditioning, mixing and training patches."""
