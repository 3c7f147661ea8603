"""Dialogues to train on: one schema, importers, and the rows that trainers read."""
