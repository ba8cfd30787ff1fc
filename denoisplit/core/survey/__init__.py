"""Looks at a folder of images and proposes a spec: finding, arranging, measuring, deciding, writing."""
