"""In which precision a network runs: as the spec says, or as a measurement on this machine says."""
