"""The tests; a package, so that helpers such as the fault server can be imported by name."""
