"""Measures of the served graph."""
