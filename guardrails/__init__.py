"""Deterministic rules on one reply or one call: no model, no I/O."""
