"""Customers that talk by themselves."""
