"""The images of a prediction: those on offer, the words for them, and the evidence for the verdict."""
