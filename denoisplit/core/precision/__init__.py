"""Choice of a network's precision: by the spec, or by a measurement on this machine."""
