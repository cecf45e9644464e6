"""Benchmarks: the figures that the product promises, measured in the laboratory."""
