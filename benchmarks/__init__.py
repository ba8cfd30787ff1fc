"""Benchmarks of the toolkit: speed, memory and accuracy, as ratios measured in one run on one machine.

`python -m benchmarks all` measures, `python -m benchmarks.page` writes docs/benchmarks.md from the results.
"""
