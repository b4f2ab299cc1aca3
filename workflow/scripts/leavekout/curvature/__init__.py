"""Curvature of the loss: per-sample gradients, Fisher, EK-FAC, random projections."""
