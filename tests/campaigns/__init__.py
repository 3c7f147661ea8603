"""Tests of the bundled campaigns."""
