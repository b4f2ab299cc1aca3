"""Breaks one formula of the package at a time, and reports those that no unit test notices.

    python tests/support/mutants.py [part of a file's name, or of a line]

Each mutant is tried on a copy of the repository, on the unit tests of its room.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path("workflow/scripts/leavekout")
COPIED = ("workflow", "tests", "config", "docs", "pyproject.toml", "Snakefile", "profiles")
STATISTICS = "leave_k_out/statistics/"

# Tests of a file that are in another room.
ELSEWHERE = {
    "statistics/resampling.py": "leave_k_out/statistics/test_estimates.py",
    "models/loss.py": "sweeps/test_loss.py",
}
# (file, old text, new text)
MUTANTS = [
    ("training/training.py", "/ limit).clamp(min=1.0)", "/ limit)"),
    ("training/training.py", "0.5 * (1 + math.cos", "0.5 * (1 - math.cos"),
    ("training/training.py", "* (step + 1) / config.warmup_steps", "* step / config.warmup_steps"),
    ("training/training.py", "weight_decay=config.weight_decay", "weight_decay=0"),
    ("training/stream.py", "< self.caption_dropout", "> self.caption_dropout"),
    ("training/stream.py", "positions[again], _REPLACEMENT", "positions[again] * 0, _REPLACEMENT"),
    ("training/stream.py", "torch.arange(n), epoch)", "torch.arange(n), 0)"),
    ("base/noise.py", "_ROUNDS = 10", "_ROUNDS = 9"),
    ("base/noise.py", "-2.0 * torch.log", "-1.0 * torch.log"),
    ("base/noise.py", "radius * torch.sin(angle)", "radius * torch.cos(angle)"),
    ("models/loss.py", "elements.square()", "elements.abs()"),
    ("models/loss.py", "elements.flatten(1).mean(1)", "elements.flatten(1).sum(1)"),
    ("models/loss.py", "process.target(x0, noise)", "noise"),
    ("models/process.py", "return (1 - t) * x0 + t * noise", "return t * x0 + (1 - t) * noise"),
    ("models/process.py", "return noise - x0", "return x0 - noise"),
    ("models/sampling.py", "(conditional - unconditional)", "(unconditional - conditional)"),
    ("models/sampling.py", "manual_seed(seed)", "manual_seed(0)"),
    ("sweeps/losses.py", "part.double().mean(2)", "part.double().sum(2)"),
    ("sweeps/passes.py", "sign = 1 - 2 *", "sign = 1 - 0 *"),
    ("sweeps/passes.py", "t = t + scale_to", "t = t - scale_to"),
    ("sweeps/passes.py", "caption + self._unit(draw) + stratum", "caption + stratum"),
    ("curvature/fisher.py", "gradient.square().sum(0)", "gradient.abs().sum(0)"),
    ("curvature/fisher.py", "damping * mean for", "damping for"),
    ("curvature/ekfac.py", "(2 / predicted[0].numel()) ** 0.5", "2 / predicted[0].numel()"),
    ("curvature/ekfac.py", "damping * values.mean()", "damping * values.max()"),
    ("curvature/ekfac.py", "product.square().sum(0)", "product.sum(0).square()"),
    ("curvature/projection.py", "to(torch.int8) * 2 - 1", "to(torch.int8) * 0 + 1"),
    ("curvature/projection.py", "torch.cat([h, -h], 1)", "torch.cat([h, h], 1)"),
    ("methods/influence/solvers.py", "alpha=1 / flips", "alpha=1"),
    ("methods/influence/solvers.py", "residual / (1 - leverage)", "residual / (1 + leverage)"),
    ("methods/influence/solvers.py", "to(phi).sqrt()", "to(phi)"),
    ("methods/influence/solvers.py", "g.square().sum(2)", "g.abs().sum(2)"),
    ("methods/unlearning/readout.py", "values = after - before", "values = before - after"),
    ("methods/unlearning/readout.py", "max(axis=1).astype", "min(axis=1).astype"),
    ("methods/unlearning/readout.py", "_SKEW_FLOOR = 1e-3", "_SKEW_FLOOR = 1e-1"),
    ("methods/unlearning/steps.py", "config.step_size / images", "config.step_size"),
    ("methods/unlearning/steps.py", "losses.sum() / config.gradient_samples", "losses.mean()"),
    ("methods/dmin/compression.py", "1 - 2 * (drawn[1] & 1)", "1 - 0 * (drawn[1] & 1)"),
    ("methods/patches/weights.py", "(2 * deviation**2)", "(deviation**2)"),
    ("methods/pixel/scoring.py", "np.maximum(found,", "np.minimum(found,"),
    ("statistics/resampling.py", "size - 1, np.full", "size, np.full"),
    ("statistics/resampling.py", "2 * (of_queries + of_models) - of_both", "of_both"),
    ("statistics/resampling.py", "- self.margin, lowest", "- self.margin, -np.inf"),
    ("statistics/significance.py", "+ g / (6 * n)", "- g / (6 * n)"),
    ("statistics/significance.py", "p = 2 * stats.t.sf", "p = stats.t.sf"),
    ("statistics/significance.py", "largest >= limits", "chance >= limits"),
    (STATISTICS + "arms.py", "- self.random[k].mean(axis=1)", "- self.random[k].max(axis=1)"),
    (STATISTICS + "arms.py", "array.mean(axis=1)", "array[:, 0]"),
    (STATISTICS + "power.py", "2 * retraining, 0.0, 1", "retraining, 0.0, 1"),
    (STATISTICS + "power.py", "queries / (queries - 1)", "1"),
    (STATISTICS + "power.py", "(within - shared) / random.shape[1]", "0"),
    (STATISTICS + "power.py", "isf(level / 2, freedom)", "isf(level, freedom)"),
    (STATISTICS + "seeds.py", "var(ddof=1) / 2", "var(ddof=1)"),
    (STATISTICS + "lds.py", "size=(resamples, models - 1)", "size=(resamples, 2 * models)"),
    (STATISTICS + "repeatability.py", "2 * correlation / (1 + correlation)", "correlation"),
    (STATISTICS + "equivalents.py", "share * (self.grid[after]", "0 * (self.grid[after]"),
    (STATISTICS + "clusters.py", " / k - chance) / (1 - chance)", " / k)"),
    ("leave_k_out/measures/mse.py", "/ 255.0).mean()", "/ 255.0).sum()"),
    ("leave_k_out/measures/delta_loss.py", ".mean() / 2 / len", ".mean() / len"),
    ("leave_k_out/measures/ssim.py", "data_range=255", "data_range=1"),
    ("leave_k_out/measures/measure.py", "np.sqrt(np.square(a)", "(np.square(a)"),
]  # fmt: skip


def tests_of(file: str) -> list[str]:
    """The tests of a file's room; those that have its name or its folder's come first."""
    folder = Path("tests/unit") / Path(file).parent
    while not (ROOT / folder).is_dir():
        folder = folder.parent
    names = Path(file).stem, Path(file).parent.name

    def place(test: Path) -> tuple[bool, str]:
        return not any(name in test.stem for name in names), test.name

    tests = sorted((ROOT / folder).rglob("test_*.py"), key=place)
    elsewhere = [f"tests/unit/{ELSEWHERE[file]}"] if file in ELSEWHERE else []
    return [*elsewhere, *(str(test.relative_to(ROOT)) for test in tests)]


def survives(copy: Path, file: str, old: str, new: str) -> bool:
    """Whether the tests of the room pass with the new text."""
    source = copy / PACKAGE / file
    text = source.read_text()
    if text.count(old) != 1:
        sys.exit(f"{file} has {text.count(old)} times: {old}. Correct MUTANTS.")
    source.write_text(text.replace(old, new))
    command = [sys.executable, "-m", "pytest", "-x", "-q", *tests_of(file)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # no stale bytecode
    run = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    source.write_text(text)
    if run.returncode not in (0, 1):
        sys.exit(run.stdout + run.stderr)
    return run.returncode == 0


def main(pattern: str = "") -> None:
    """Tries the mutants that contain the pattern, and ends with 1 if any survives."""
    chosen = [mutant for mutant in MUTANTS if pattern in " ".join(mutant)]
    alive = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder) / name)
        for file, old in {file: old for file, old, _ in chosen}.items():
            if not survives(Path(folder), file, old, old):
                sys.exit(f"The tests of {file} fail without a mutant.")
        for file, old, new in chosen:
            lives = survives(Path(folder), file, old, new)
            alive += lives
            print(f"{'SURVIVES' if lives else 'killed  '}  {file}: {old} → {new}", flush=True)
    print(f"{len(chosen)} mutants, {alive} survived")
    sys.exit(alive > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
