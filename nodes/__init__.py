"""One file a node of the graph; prompts beside them."""
