"""What a lab added to denoisplit for its camera."""
