"""Evaluation functional."""
