"""Similarity of pixels."""
