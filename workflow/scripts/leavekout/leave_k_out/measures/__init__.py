"""Measures: what a model without some images makes of a query, in numbers."""
