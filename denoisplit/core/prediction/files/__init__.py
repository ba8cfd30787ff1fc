"""Predictions into files: tile by tile, interrupted, in shards, of many images."""
