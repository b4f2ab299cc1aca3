"""Numbers as text."""

import numpy as np

from leavekout.leave_k_out.report.text import equivalent
from leavekout.report.text import interval, queries, rounded


def test_numbers_are_rounded_to_their_error() -> None:
    assert interval(12.345, 1.9, 8.01, 16.7) == "12.3 (8.0 to 16.7)"
    assert interval(-0.0123, 0.004, -0.02, 0.001) == "−0.0123 (−0.0200 to 0.0010)"
    assert interval(1.0, np.nan, np.nan, np.nan) == "1.0000"
    assert rounded(-0.0001, 0.5) == "0.00"
    assert queries(np.inf) == "> 10,000"


def test_random_equivalents_show_where_the_curve_ended() -> None:
    row = {"equivalent": 312.4, "low": 187.0, "high": 1600.0, "smallest_k": 50}
    row |= {"equivalent_censored": False, "low_censored": False, "high_censored": True}
    assert equivalent(row) == "312 (187 to > 1,600)"
    assert equivalent({**row, "low": 12.0}) == "312 (< 50 to > 1,600)"
    beyond = {**row, "equivalent": 1600.0, "equivalent_censored": True}
    assert equivalent(beyond) == "> 1,600 (at least 187)"
