"""Scenarios: who calls are held with, and what counts as success."""
