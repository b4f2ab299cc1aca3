"""The expected costs of jobs, and the bill of a study."""
