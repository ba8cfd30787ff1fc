"""Where a training begins: with weights of another run, or at a resume point."""
