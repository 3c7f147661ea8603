"""Rubrics, the judges that apply them, and people beside them."""
