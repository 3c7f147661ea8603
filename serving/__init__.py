"""Models: catalogue, download, servers, and the loaders for chat and embeddings."""
