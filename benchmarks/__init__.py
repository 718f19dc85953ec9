"""Measures the figures of the project as ratios in one run: `make bench`."""
