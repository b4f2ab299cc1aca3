"""What the measurements say, with the uncertainty of every number; see docs/statistics.md."""
