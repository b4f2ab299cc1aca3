"""Statistics of measurements: estimates, comparisons, random equivalents, agreement."""
