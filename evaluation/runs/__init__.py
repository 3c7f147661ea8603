"""Runs: scenarios times customers times variants times trials, kept and resumed."""
