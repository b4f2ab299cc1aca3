"""Recall and average precision against scikit-learn and plain loops, ties included."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import recall_score

from leavekout.customized.retrieval import recall_at, retrieval_table
from leavekout.customized.statistics import comparisons_table, summary_table
from leavekout.report.text import keyed

DRAWN = np.random.default_rng(0)


@pytest.mark.parametrize("exemplars", [1, 5, 15])
def test_recall_without_ties_is_scikit_learns(exemplars: int) -> None:
    for _ in range(20):
        scores = DRAWN.standard_normal(60)
        relevant = np.isin(np.arange(60), DRAWN.choice(60, exemplars, replace=False))
        chosen = np.isin(np.arange(60), np.argsort(-scores)[:10])
        assert recall_at(scores, relevant) == pytest.approx(recall_score(relevant, chosen))


def test_recall_with_ties_is_the_mean_of_scikit_learns_over_all_orders() -> None:
    for _ in range(20):
        scores = DRAWN.integers(0, 3, 6).astype(float)
        relevant = np.isin(np.arange(6), DRAWN.choice(6, 2, replace=False))
        orders = [o for o in map(list, permutations(range(6))) if (np.diff(scores[o]) <= 0).all()]
        recalls = [recall_score(relevant, np.isin(np.arange(6), order[:3])) for order in orders]
        expected = np.mean(recalls)
        assert recall_at(scores, relevant, k=3) == pytest.approx(expected)
    assert recall_at(np.array([1.0, 2.0]), np.array([True, True])) == 1  # fewer than k images


@pytest.fixture
def benchmark(tmp_path: Path) -> tuple[pd.DataFrame, list[Path]]:
    """A table of 40 images and the exemplars of two models, and scores with many ties."""
    images = pd.DataFrame({"model": [""] * 40 + ["cat"] * 4 + ["ink"] * 3})
    paths = []
    for method, model, number in product("ab", ("cat", "ink"), range(3)):
        paths.append(tmp_path / method / f"{model}-q{number:03d}.npy")
        paths[-1].parent.mkdir(exist_ok=True)
        np.save(paths[-1], DRAWN.integers(0, 6, len(images)).astype(np.float32))
    return images, paths


def test_a_query_is_ranked_over_the_pool_and_its_own_exemplars(
    benchmark: tuple[pd.DataFrame, list[Path]],
) -> None:
    images, paths = benchmark
    table = retrieval_table(paths, images, {"cat": "object", "ink": "style"})
    assert table["candidates"].tolist() == [44 if m == "cat" else 43 for m in table["model"]]
    for path, row in zip(paths, table.to_dict("records"), strict=True):
        kept = images["model"].isin(["", row["model"]]).to_numpy()
        truth = (images["model"] == row["model"]).to_numpy()[kept]
        scores = np.load(path)[kept]
        assert row["average_precision"] == pytest.approx(_average_precision(truth, scores))
        assert row["exemplars"] == truth.sum()


def _average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Σ over thresholds of (recall gained) · (precision there), by a plain loop."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        found = truth[scores >= threshold]
        recall = found.sum() / truth.sum()
        total += (recall - before) * found.mean()
        before = recall
    return total


def retrievals(*rows: tuple[str, str, int, float, float]) -> pd.DataFrame:
    """A table from method, model, number of the query, recall and average precision."""
    names = ["method", "model", "query", "recall", "average_precision"]
    table = pd.DataFrame(rows, columns=names).assign(kind="object")
    return table.assign(query=table["model"] + "-q" + table["query"].astype(str))


def test_intervals_are_over_models_and_errors_over_queries() -> None:
    table = retrievals(
        *[
            (method, model, i, value + 0.1 * i, 0.5)
            for method, base in (("a", 0.1), ("b", 0.4))
            for model, value in (("x", base), ("y", base + 0.2), ("z", base + 0.1))
            for i in range(2)
        ]
    )
    a = keyed(summary_table(table), "measure", "method")["recall", "a"]
    values = table[table["method"] == "a"]["recall"]
    means = values.to_numpy().reshape(3, 2).mean(1)
    assert a["mean"] == pytest.approx(values.mean())
    assert a["se"] == pytest.approx(values.std() / 6**0.5)
    expected = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert a["low"] == pytest.approx(max(0, expected.low))
    assert a["high"] == pytest.approx(expected.high)
    pairs = keyed(comparisons_table(table), "measure")
    recall = pairs[("recall",)]
    assert (recall["ahead"], recall["models_ahead"]) == ("b", 3)
    assert recall["difference"] == pytest.approx(0.3)
    assert pairs[("average_precision",)]["p"] == 1


def test_a_mean_is_over_queries_whichever_model_they_are_of() -> None:
    table = retrievals(("a", "x", 0, 0.2, 0.5), ("a", "x", 1, 0.2, 0.5), ("a", "y", 0, 0.8, 0.5))
    assert keyed(summary_table(table), "measure")[("recall",)]["mean"] == pytest.approx(0.4)


def test_pairs_are_corrected_together_and_a_constant_difference_is_a_sign_test() -> None:
    values = {"a": [0.1, 0.2, 0.3], "b": [0.2, 0.3, 0.4], "c": [0.25, 0.5, 0.4]}
    rows = [(m, f"m{i}", 0, v, v) for m, row in values.items() for i, v in enumerate(row)]
    pairs = comparisons_table(retrievals(*rows))
    found = keyed(pairs[pairs["measure"] == "recall"], "ahead", "behind")
    p = {
        ("b", "a"): 2 / 2**3,
        ("c", "a"): stats.ttest_rel(values["c"], values["a"]).pvalue,
        ("c", "b"): stats.ttest_rel(values["c"], values["b"]).pvalue,
    }
    assert {pair: row["p"] for pair, row in found.items()} == pytest.approx(p)
    first, second, third = sorted(p, key=p.__getitem__)
    by_holm = np.maximum.accumulate([3 * p[first], 2 * p[second], p[third]])
    assert [found[pair]["p_holm"] for pair in (first, second, third)] == pytest.approx(by_holm)


def test_the_comparisons_p_is_a_paired_t_test_s() -> None:
    drawn = DRAWN.uniform(size=(2, 5))
    named = zip("ab", drawn, strict=True)
    table = retrievals(*[(m, f"m{i}", 0, v, v) for m, row in named for i, v in enumerate(row)])
    expected = stats.ttest_rel(*drawn).pvalue
    assert comparisons_table(table)["p"].tolist() == pytest.approx([expected] * 2)


def test_comparisons_of_one_method_are_an_empty_table_with_all_columns(
    tmp_path: Path,
) -> None:
    table = retrievals(("a", "m0", 0, 0.5, 0.5))
    comparisons_table(table).to_csv(tmp_path / "pairs.csv", index=False)
    found = pd.read_csv(tmp_path / "pairs.csv")
    assert found.empty
    assert {"kind", "measure", "ahead", "p_holm", "distinguishable"} <= set(found)
