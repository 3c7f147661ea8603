"""Dialogues that a teacher writes: four methods to make them, and the filters that they must pass."""
