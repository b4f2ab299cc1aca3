"""Leave-K-out experiments: images that methods select are removed, and models are retrained."""
