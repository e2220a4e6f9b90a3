"""Evaluation: ``functional`` measures arrays, ``metrics`` are what configs name."""
