"""What jobs are expected to cost, and the bill of a study."""
