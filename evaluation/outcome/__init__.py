"""What came of a call, by a classifier."""
