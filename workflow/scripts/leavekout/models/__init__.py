"""Denoisers, what they are trained to do, and sampling: the only room that knows their parts."""
