"""Training from scratch on a paired stream of samples, with a state that survives kills."""
