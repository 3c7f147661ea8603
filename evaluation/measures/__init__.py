"""What is counted and computed on a finished call, without a model."""
