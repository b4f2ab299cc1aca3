"""What stages hand to each other: scores, removals and outcomes."""
