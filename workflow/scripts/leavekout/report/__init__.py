"""The report: one self-contained HTML file of everything that a study shows."""
