"""What stages pass to each other: scores, removals and outcomes."""
