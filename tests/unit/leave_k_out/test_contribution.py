"""What is compared of a contributed row."""

import pandas as pd
import pytest

from leavekout.base.errors import InputError
from leavekout.leave_k_out.bundle.contribution import differences, require_same_numbers

TABLE = pd.DataFrame(
    {
        "method": ["mine", "mine"],
        "number": pd.array([None, 1], "Int64"),
        "value": [0.5, float("nan")],
        "covers": ["queries", None],
    }
)


def test_tables_are_the_same_up_to_a_tolerance_and_to_how_they_were_stored() -> None:
    stored = TABLE.assign(number=[float("nan"), 1.0], covers=["queries", float("nan")])
    close = stored.assign(value=TABLE["value"] * (1 + 0.9e-4))
    require_same_numbers(TABLE, close, what="rows", tolerance=1e-4)


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"value": [0.5 * (1 + 2e-4), float("nan")]}, "value"),
        ({"value": [0.5, 0.5]}, "value"),
        ({"value": [float("nan"), float("nan")]}, "value"),
        ({"number": [1.0, 1.0]}, "number"),
        ({"method": ["mine", "yours"]}, "method"),
    ],
)
def test_another_number_is_refused(changed: dict[str, list], column: str) -> None:
    with pytest.raises(InputError, match=f"rows: '{column}' differs"):
        require_same_numbers(TABLE, TABLE.assign(**changed), what="rows", tolerance=1e-4)


def test_other_rows_are_refused() -> None:
    with pytest.raises(InputError, match="other rows or columns"):
        require_same_numbers(TABLE, TABLE[:1], what="rows", tolerance=1e-4)


def test_a_difference_is_a_share_of_the_effect_of_its_measure() -> None:
    keys = {"policy": "top", "method": "m", "k": 5, "training_seed": 0, "targets": "q0"}
    rows = [{**keys, "query": "q0", "measure": name} for name in ("delta_loss", "clip")]
    here = pd.DataFrame(rows).assign(value=[0.30, 0.80])
    there = pd.DataFrame(rows[::-1]).assign(value=[0.90, 0.25])
    table = differences(here, there, {"delta_loss": 0.5, "clip": 0.2}).set_index("measure")
    assert table["share"].to_dict() == pytest.approx({"delta_loss": 0.1, "clip": 0.5})
