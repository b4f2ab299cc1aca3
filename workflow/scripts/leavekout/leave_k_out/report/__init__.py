"""The report of a leave-K-out study, its figures, and the headline tables."""
