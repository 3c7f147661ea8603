"""Figures with their doubts: statistics, report, gate."""
