"""Campaigns as data, and the library of scripts in Chroma and SQL."""
