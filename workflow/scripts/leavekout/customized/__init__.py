"""The Customized Model benchmark: attribution where the answer is known."""
