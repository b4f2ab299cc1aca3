"""What measurements say: estimates, comparisons, random equivalents, agreement with scores."""
