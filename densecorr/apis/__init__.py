"""Apis."""
