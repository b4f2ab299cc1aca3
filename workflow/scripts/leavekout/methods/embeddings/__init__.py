"""Similarity of an encoder's features."""
