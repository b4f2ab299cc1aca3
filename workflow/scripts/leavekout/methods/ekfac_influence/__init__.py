"""Influence by whole gradients, with the Gauss-Newton matrix in EK-FAC form."""
