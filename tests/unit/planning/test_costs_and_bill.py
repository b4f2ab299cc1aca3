"""What jobs request, and a study's account."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configured import experiment
from leavekout.base.errors import InputError
from leavekout.config.reading import require_unchanged
from leavekout.kinds import costs_of
from leavekout.methods.distilled.family import DISTILLED
from leavekout.methods.ekfac_influence.family import EKFAC_INFLUENCE
from leavekout.methods.influence.family import INFLUENCE
from leavekout.methods.registry import scoring_cost
from leavekout.methods.unlearning.family import UNLEARNING
from leavekout.models.denoiser import build_denoiser
from leavekout.planning.bill import PlannedJob, account, bill, measured_ratios
from leavekout.planning.costs import Cost
from project import ENV, ROOT, TINY, ran


@pytest.mark.parametrize("name", ["coco", "coco-day", "digits"])
def test_the_stated_number_of_weights_is_the_models(name: str) -> None:
    e = experiment(name)
    denoiser = build_denoiser(e.model, seed=0, device=torch.device("meta"))
    assert sum(p.numel() for p in denoiser.parameters()) == e.hardware.estimates.parameters


def test_sizes_equal_the_arrays_bytes() -> None:
    costs = costs_of(experiment("coco"))
    assert costs.text_mb == pytest.approx(118287 * 5 * 77 * 1024 * 2 / 1e6)  # 93 GB
    assert costs.latents_mb == pytest.approx(118287 * 2 * 4 * 16 * 16 * 2 / 1e6)
    assert costs.pixels_mb == pytest.approx(118287 * 128 * 128 * 3 / 1e6)
    assert costs.weights_mb == pytest.approx(57373316 * 4 / 1e6)
    of_halves = 2 * 118287 * 2 * 4096 * 4 / 1e6
    assert INFLUENCE.projection_cost(costs, "loss").disk_mb == pytest.approx(of_halves)


def with_hardware(e: Any, **changes: Any) -> Any:
    return e.model_copy(update={"hardware": e.hardware.model_copy(update=changes)})


def at_the_papers_rates(e: Any) -> Any:
    """COCO's study, where a training takes the 16 A100-hours that the paper reports."""
    rates = dict.fromkeys(("training_per_second", "gradients_per_second"), 411)
    rates |= {"forward_per_second": 1233, "loading_gb_per_second": 1000, "compile_seconds": 1}
    estimates = e.hardware.estimates.model_copy(update=rates)
    return with_hardware(e, estimates=estimates)


def test_coco_at_the_papers_speed_costs_the_papers_hours() -> None:
    costs = costs_of(at_the_papers_rates(experiment("coco")))
    assert costs.training().seconds / 3600 == pytest.approx(16, rel=0.01)
    # Fewer steps without most of the images, as in the paper.
    half = costs.training(118287 // 2).seconds
    assert half == pytest.approx(costs.training().seconds / 2, rel=0.01)
    assert not costs.training().short
    assert costs_of(experiment("digits-base")).training().short


def test_start_loading_and_compilation_are_priced() -> None:
    e = experiment("coco")
    costs = costs_of(e)
    samples = e.training.steps(118287, 0) * 128
    fixed = 30 + costs.text_mb / 1000 + costs.latents_mb / 1000 + 120
    assert costs.training().seconds == pytest.approx(samples / 3000 + fixed)
    costs = costs_of(with_hardware(e, device_data_gb=50, compile=False))
    assert costs.training().seconds == pytest.approx(samples / 3000 + fixed - 120)


def test_a_retry_asks_for_more_unless_it_resumes() -> None:
    costs = costs_of(with_hardware(experiment("coco"), device_data_gb=55))
    once = scoring_cost(costs, "trak")
    assert once.minutes(1) > once.seconds / 60
    for attempt in (2, 3, 4):
        assert once.minutes(attempt) == pytest.approx(attempt * once.minutes(1), abs=attempt)
        assert once.megabytes(attempt) == pytest.approx(attempt * once.memory_mb, abs=1)
    resuming = [scoring_cost(costs, "unlearning"), scoring_cost(costs, "ekfac")]
    for job in (*resuming, costs.training(), costs.sweep(), costs.text(), costs.fisher()):
        assert {job.minutes(attempt) for attempt in (1, 2, 3, 4)} == {job.minutes(1)}
        assert {job.megabytes(attempt) for attempt in (1, 2, 3, 4)} == {job.megabytes(1)}
        assert job.minutes(1) > job.seconds / 60
        assert job.megabytes(1) >= job.memory_mb


def test_no_attempt_asks_for_more_than_the_cluster_grants() -> None:
    job = Cost(seconds=3600, memory_mb=100_000)
    assert [job.minutes(attempt, 300) for attempt in (1, 2, 3, 4)] == [123, 246, 300, 300]
    asked = [job.megabytes(attempt, 240_000) for attempt in (1, 2, 3, 4)]
    assert asked == [100_000, 200_000, 240_000, 240_000]


def test_on_a_tenth_of_the_assumed_speed_every_job_of_coco_ends_within_its_attempts() -> None:
    """Within 48 hours, or it resumes; the profile gives four attempts."""
    e = experiment("coco")
    assert e.hardware.longest_minutes == 48 * 60
    rates = e.hardware.estimates
    slow = {k: v / 10 for k, v in rates.model_dump().items() if k.endswith("per_second")}
    costs = costs_of(with_hardware(e, estimates=rates.model_copy(update=slow)))
    once = [
        *(costs.preparation(), costs.sampling(120)),
        *(costs.similarity(120), costs.query_losses(120), costs.measuring(110 * 100, 3)),
        DISTILLED.training_cost(costs, "distilled"),
        costs.evaluated(UNLEARNING.step_cost(costs, "unlearning"), 210),
    ]
    scoring = [scoring_cost(costs, method) for method in e.methods]
    projecting = [INFLUENCE.projection_cost(costs, name) for name in e.gradients]
    whole = [costs.training(), costs.text(), costs.features(), costs.sweep(), costs.latents()]
    whole += [costs.fisher(), costs.ekfac()]
    for job in (*once, *scoring, *projecting, *whole):
        limit = (4 if job.resumes else 1) * 48 * 3600
        assert job.seconds < limit


def test_rules_ask_by_attempt_and_within_the_limits(tmp_path: Path) -> None:
    limits = "hardware={most_memory_gb: 9, longest_minutes: 7}"
    options = ["--config", limits, "--directory", str(tmp_path), "-n", "--attempt", "4"]
    printed = ran(ROOT, *TINY, *options)
    costs = costs_of(experiment("tiny"))
    once, training = costs.sampling(costs.queries), costs.training()
    assert 4 * once.memory_mb > 9000
    assert 4 * once.minutes(1) > 7
    expected = {
        "sample_queries": (9000, 7),
        "train_source": (training.megabytes(1), training.minutes(1)),
    }
    for rule, limits_of_rule in expected.items():
        found = re.search(rf"rule {rule}:\n.*?resources: (.*?)\n", printed, re.S)
        assert found is not None
        asked = dict(part.split("=") for part in found[1].split(", "))
        assert (int(asked["mem_mb"]), int(asked["runtime"])) == limits_of_rule


def test_twice_the_expected_time_and_three_minutes_are_requested() -> None:
    assert [Cost(600, 0).minutes(attempt) for attempt in (1, 2)] == [23, 46]
    assert Cost(600, 0, resumes=True).minutes(2) == 23


def test_passes_of_each_stage_are_priced_at_their_rate() -> None:
    """Of COCO's configuration, in words of its own."""
    coco = experiment("coco")
    losses = coco.losses.model_copy(update={"draws": 3, "timestep_stride": 300})
    e = coco.model_copy(update={"losses": losses})
    costs, rates = costs_of(e), e.hardware.estimates
    start, images = rates.start_seconds, 118287 * 2
    passes = images * 5 * 4 * 3  # captions, timesteps 0, 300, 600 and 900, draws
    # Without loading, because it reads the data in order.
    assert costs.sweep().seconds == pytest.approx(start + passes / rates.forward_per_second)
    pictures = 1000 * (2 * 1000 / rates.forward_per_second + 1 / rates.encoding_per_second)
    assert costs.sampling(1000).seconds == pytest.approx(start + pictures)
    assert costs.ekfac().seconds == 2 * costs.fisher().seconds
    of_query = costs.query_losses(110).seconds - start
    timesteps = -(-1000 // e.evaluation.timestep_stride)
    assert of_query == pytest.approx(110 * timesteps / rates.forward_per_second)
    assert UNLEARNING.step_cost(costs, "unlearning").seconds == pytest.approx(
        start + e.unlearning["unlearning"].gradient_samples / rates.training_per_second
    )
    mucs = e.unlearning["mucs"]
    samples = 2 * mucs.steps * mucs.gradient_samples  # queries and training images
    assert UNLEARNING.step_cost(costs, "mucs").seconds == pytest.approx(
        start + costs.loading + samples / rates.training_per_second
    )


def test_jobs_in_random_order_request_memory_for_the_data_that_they_stream() -> None:
    digits, coco = experiment("digits-base"), experiment("coco")
    on_cpu = costs_of(digits)
    assert on_cpu.training().memory_mb > on_cpu.latents_mb + on_cpu.text_mb
    kept = costs_of(coco)
    assert kept.data_mb == 0  # it is on the GPU
    streaming = costs_of(with_hardware(coco, device_data_gb=50))
    streamed = kept.latents_mb + kept.text_mb - 50_000
    shared = costs_of(with_hardware(coco, device_data_gb=50, jobs_per_node=8))

    def requested(costs: Any) -> list[float]:
        jobs = [costs.training(), costs.fisher(), costs.ekfac(), scoring_cost(costs, "mucs")]
        return [job.memory_mb for job in jobs]

    without = np.array(requested(kept))
    np.testing.assert_allclose(requested(streaming), without + streamed)
    np.testing.assert_allclose(requested(shared), without + streamed / 8)
    for costs in (streaming, shared):  # these read in order
        assert costs.sweep() == kept.sweep()
        assert INFLUENCE.projection_cost(costs, "loss") == INFLUENCE.projection_cost(kept, "loss")
        for method in ("unlearning", "dino"):
            assert scoring_cost(costs, method) == scoring_cost(kept, method)
    # Scores of an ensemble, in double precision: the sum, and one model's.
    assert scoring_cost(kept, "trak").memory_mb > 2 * 8e-6 * 120 * 118287 * 2


@pytest.mark.parametrize(("name", "passes"), [("coco", 1), ("coco-80gb", 1), ("coco-40gb", 2)])
def test_directions_of_queries_fit_where_the_data_would(name: str, passes: int) -> None:
    e = experiment(name)
    costs = costs_of(e)
    at_once = EKFAC_INFLUENCE.queries_at_once(costs)
    assert -(-120 // at_once) == passes
    assert at_once * 2 * 4 * 57373316 < 1e9 * e.hardware.device_data_gb
    gradients = 118287 * 2 * 250 / e.hardware.estimates.gradients_per_second
    once = scoring_cost(costs_of(experiment("coco")), "ekfac").seconds
    further = scoring_cost(costs, "ekfac").seconds - once
    assert further == pytest.approx((passes - 1) * gradients)


@pytest.mark.parametrize("name", ["coco-80gb", "coco-40gb"])
def test_smaller_gpus_change_hardware_alone(name: str) -> None:
    e, coco = experiment(name), experiment("coco")
    assert e.hardware != coco.hardware
    assert e.model_copy(update={"hardware": coco.hardware}) == coco
    jobs = 8 * costs_of(e).training().memory_mb
    assert jobs < 512_000  # a node of eight GPUs
    assert (
        e.hardware.jobs_per_node * costs_of(e).data_mb + 1000 * e.hardware.device_data_gb > 93_000
    )


def test_a_unet_without_a_plain_size_is_refused() -> None:
    e = experiment("digits-base")
    denoiser = {**e.model.unet, "sample_size": [4, 4]}
    changed = e.model_copy(update={"model": e.model.model_copy(update={"unet": denoiser})})
    message = r"'model.unet.sample_size' is \[4, 4\], but has to be a whole"
    with pytest.raises(InputError, match=message):
        costs_of(changed)


JOB = PlannedJob(
    rule="retrain", script="retrain.py", needed=True, gpus=1, threads=8, expected_seconds=3600,
    disk_mb=200, seconds=None,
)  # fmt: skip


def replaced(**changes: object) -> PlannedJob:
    return dataclasses.replace(JOB, **changes)  # type: ignore[arg-type]


def test_future_jobs_are_priced_by_measured_ones() -> None:
    jobs = [
        replaced(needed=False, seconds=900.0),
        replaced(needed=False, seconds=1800.0, expected_seconds=1800),  # a larger K
        replaced(needed=False, seconds=36.0),  # the last attempt of one that was interrupted
        JOB,
        replaced(rule="train_source", script="train_source.py"),
        replaced(rule="compare", script="compare.py", gpus=0, threads=4),
    ]
    assert measured_ratios(jobs) == {"retrain": 0.25, "retrain.py": 0.25}  # of 1/4, 1 and 1/100
    table = bill(jobs)
    retrain = table.loc["retrain"]
    assert (retrain["done"], retrain["to_do"], retrain["disk_gb"]) == (3, 1, 0.2)
    assert retrain["spent_gpu_h"] == pytest.approx(0.76)
    assert retrain["gpu_h"] == pytest.approx(0.25)
    assert retrain["from"] == "benchmarks"
    assert table.loc["train_source", "gpu_h"] == pytest.approx(0.25)  # the same work
    assert table.loc["train_source", "disk_gb"] == pytest.approx(0.2)
    assert table.loc["compare", "cpu_h"] == pytest.approx(4)  # four cores for an hour
    assert table.loc["compare", "from"] == "estimate"


def test_the_account_states_the_totals_and_the_measured_rate() -> None:
    text = account(
        [replaced(needed=False, seconds=1800.0), JOB],
        costs_of(at_the_papers_rates(experiment("coco"))),
    )
    assert "Done: 1 jobs, in 0.5 GPU-hours" in text
    assert "To do: 1 jobs, about 0.5 GPU-hours" in text
    assert "at most 1.8 GB with 1 at once" in text
    assert "'hardware.estimates.training_per_second' to 822" in text


def test_a_configuration_that_changes_during_a_run_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEAVEKOUT_CONFIGURATION", "of an earlier run")  # and gone after the test
    monkeypatch.delenv("LEAVEKOUT_CONFIGURATION")
    e = experiment("tiny")
    require_unchanged(e)
    require_unchanged(e.model_copy(update={"hardware": experiment("coco").hardware}))
    changed = e.model_copy(update={"methods": ["pixel"]})
    with pytest.raises(InputError, match=r"experiment 'tiny' changed after this run had begun"):
        require_unchanged(changed)


def test_one_program_may_plan_several_studies() -> None:
    plans = "[plan_of([Path(f'config/{name}.yaml')]) for name in ('tiny', 'digits')]"
    program = f"from pathlib import Path; from plan_study import plan_of; {plans}"
    scripts = str(ROOT / "workflow" / "scripts")
    command, env = [sys.executable, "-c", program], {**ENV, "PYTHONPATH": scripts}
    subprocess.run(command, cwd=ROOT, env=env, check=True)


@pytest.mark.parametrize(
    ("default", "gpu_rule", "cpu_rule"),
    [
        ("mem_mb=1000", "gpu=1, on_gpu=1", "gpu=0, gres=, gpu_model=, on_gpu=0"),
        ("gres=gpu:1", "gpu=0, on_gpu=1", "gpu=0, gpu_model=, on_gpu=0"),
        ("gres=lscratch:100", "gpu=1, on_gpu=1", "gpu=0, gpu_model=, on_gpu=0"),
    ],
)
def test_jobs_ask_for_gpus_in_the_clusters_way(
    tmp_path: Path, default: str, gpu_rule: str, cpu_rule: str
) -> None:
    """By `gpu`, or by the `gres` of the profile; rules that compute on the CPU ask for none."""
    options = ["--config", "hardware={gpus: 1}", "--directory", str(tmp_path), "-n"]
    printed = ran(ROOT, *TINY, *options, "--default-resources", default)

    def asked(rule: str) -> str:
        found = re.search(rf"rule {rule}:\n.*?resources: (.*?)\n", printed, re.S)
        assert found is not None
        return found[1]

    assert gpu_rule in asked("train_source")
    assert cpu_rule in asked("attribute_by_pixel")
    assert ("gres=gpu:1" in asked("train_source")) == (default == "gres=gpu:1")
    assert "gres=gpu" not in asked("attribute_by_pixel")
