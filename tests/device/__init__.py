"""What the processor computes, the simulated device computes."""
