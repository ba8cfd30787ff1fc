"""What follows the last step: calibration and reference statistics, from held-out fields."""
