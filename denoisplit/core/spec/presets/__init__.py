"""Presets: spec files without ``data``, named after ``preset:`` in a spec."""
