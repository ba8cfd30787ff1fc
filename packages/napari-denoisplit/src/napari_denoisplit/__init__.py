"""denoisplit in napari: open predictions, split the open image, look at its uncertainty.

Nothing here imports torch before an image is split.
"""
