"""Passes over all training images: their losses, and their per-sample gradients."""
