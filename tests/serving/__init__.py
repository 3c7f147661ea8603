"""Tests of the model serving."""
