"""Datasets transforms."""
