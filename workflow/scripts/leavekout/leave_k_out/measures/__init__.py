"""Measures of what a model without some images has lost on a query."""
