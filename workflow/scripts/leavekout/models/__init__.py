"""Denoisers, their processes, and sampling. Only this folder knows the parts of a denoiser."""
