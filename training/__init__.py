"""From recorded calls to a better model."""
