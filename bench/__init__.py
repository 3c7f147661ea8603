"""Figures of the README, measured: `make bench`, or `python -m bench NAME …` for some of them."""
