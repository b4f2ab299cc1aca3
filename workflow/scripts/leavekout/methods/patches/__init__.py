"""Nonparametric attribution by patches (NDA), without a model."""
