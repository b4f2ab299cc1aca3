"""Queries: their prompts, their pictures, and what models generate for them."""
