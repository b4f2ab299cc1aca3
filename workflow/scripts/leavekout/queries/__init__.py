"""Queries: their prompts, their pictures, and what any model makes of them (outcomes)."""
