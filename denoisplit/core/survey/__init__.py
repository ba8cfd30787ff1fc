"""Survey of a folder of images, to propose a spec: finding, arranging, measuring, deciding, writing."""
