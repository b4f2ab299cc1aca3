"""Formulas of the package, each broken in one way that some unit test has to notice.

`try_mutants.py` tries them (`make test-mutants`); `tests/unit/test_mutants.py` checks that each old
text is still in its file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

PACKAGE = "workflow/scripts/leavekout"
STATISTICS = "leave_k_out/statistics"


@dataclass(frozen=True)
class Mutant:
    """One broken formula.

    Args:
        file: of the package, from the repository's root.
        old: a text that occurs once in the file; new: what replaces it.
        tests: files of unit tests, one of which has to fail, from the root.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file.removeprefix(PACKAGE)[1:]}: {self.old} → {self.new}"


def _of(file: str, tests: str, *changes: tuple[str, str]) -> Iterator[Mutant]:
    """The mutants of a file, below the package; `tests`, below tests/unit, with blanks between."""
    files = tuple(f"tests/unit/{name}.py" for name in tests.split())
    for old, new in changes:
        yield Mutant(f"{PACKAGE}/{file}.py", old, new, files)


MUTANTS = [
    # base
    *_of(
        "base/noise",
        "base/test_noise",
        ("_ROUNDS = 10", "_ROUNDS = 9"),
        ("radius * torch.sin(angle)", "radius * torch.cos(angle)"),
        ("(word.double() + 0.5) / 2.0**32", "word.double() / 2.0**32"),
        ("(3 - len(identity)), _NOT_NOISE)", "(3 - len(identity)), 0)"),
        ("return philox(counter, (seed & _MASK, int(domain)))", "return philox(counter, (1, 2))"),
    ),
    *_of(
        "base/precision",
        "training/test_training models/test_shared_text",
        ("cache_enabled=False", "cache_enabled=True"),
    ),
    *_of(
        "data/coco",
        "data/test_subset",
        ('f"{seed} {image}"', 'f"{image}"'),
    ),
    *_of(
        "queries/prompts",
        "data/test_subset",
        ("if named and not named & taken:", "if named:"),
        ("(?<!\\w)(?:", "(?:"),
    ),
    *_of(
        f"{STATISTICS}/pictures",
        f"{STATISTICS}/test_look_at_queries",
        ("(scores == mine).sum(axis=1) - 1) / 2", "(scores == mine).sum(axis=1)) / 2"),
        ("squared = lengths - 2 *", "squared = lengths - 1 *"),
        ("] = np.inf", "] = 0"),
        ("copies = np.maximum(closer", "copies = np.minimum(closer"),
        ("return (left + right) / 2 / len(of)", "return left / len(of)"),
    ),
    *_of(
        "contract/scores",
        "contract/test_scores methods/test_patches",
        ("whole = draws.mean(0).max(axis=1)", "whole = draws.max(axis=2).mean(0)"),
        ("- (best == best[-1]).sum()", "- 1"),
    ),
    # statistics
    *_of(
        "statistics/resampling",
        "statistics/test_resampling leave_k_out/statistics/test_estimates",
        ("size - 1, np.full", "size, np.full"),
        ("2 * (of_queries + of_models) - of_both", "of_both"),
        ("np.maximum(np.maximum(of_queries, of_models), once)", "once"),
        ("of_queries**2 / (queries - 1)", "of_queries**2 / queries"),
        ("queries / queries.sum(axis=1, keepdims=True)", "queries / queries.shape[1]"),
        ("- self.margin, lowest", "- self.margin, -np.inf"),
    ),
    *_of(
        "statistics/significance",
        "statistics/test_significance",
        ("g**2 * t**3 / (27", "g * t**3 / (27"),
        ("+ g / (6 * root)", "- g / (6 * root)"),
        ("/ sums.std(axis=1) ** 3", "/ sums.std(axis=1, ddof=1) ** 3"),
        ("of_hall = 2 * stats.t.sf", "of_hall = stats.t.sf"),
        ("np.fmax(estimate.p_value(), of_hall)", "of_hall"),
        ("np.arange(len(p), 0, -1)", "len(p)"),
        ("holm(p if looks is None else", "holm(p if looks else"),
    ),
    *_of(
        "statistics/paired",
        "statistics/test_paired",
        ("np.diag(sizes) - np.outer", "np.diag(sizes) - 0 * np.outer"),
        ("- digamma(half) + np.log(half)", "- np.log(half)"),
        ("np.exp(logs.mean() + digamma(y) - np.log(y))", "np.exp(logs.mean())"),
        ("min(2 * y, freedom)", "2 * y"),
        ("both - twice", "both"),
        ("means.var(ddof=1) / models", "means.var(ddof=1)"),
    ),
    *_of(
        "statistics/looks",
        "statistics/test_looks",
        ("isf(level / 4)", "isf(level / 2)"),
        ("mass @ (above + below)", "mass @ above"),
        ("fraction - before", "fraction"),
    ),
    # data and models
    *_of(
        "data/encoded",
        "data/test_encoded",
        ("row * size + part", "row + part"),
        ("(dropped, self.null_text, text)", "(dropped, text, self.null_text)"),
    ),
    *_of(
        "models/process",
        "models/test_process sweeps/test_loss models/test_sampling methods/test_patches",
        ("return (1 - t) * x0 + t * noise", "return t * x0 + (1 - t) * noise"),
        (" + 0.5) / config.timesteps", ") / config.timesteps"),
        ("np.linspace(1.0, 1.0 / config.steps,", "np.linspace(1.0, 0.0,"),
        ("clip_sample_range=config.clip_x0 or 1.0", "clip_sample_range=1.0"),
        ("torch.arange(0, self.timesteps, stride)", "torch.arange(stride, self.timesteps, stride)"),
    ),
    *_of(
        "models/loss",
        "sweeps/test_loss sweeps/test_gradients methods/test_unlearning",
        ("elements.square().flatten(1).mean(1)", "elements.square().flatten(1).sum(1)"),
        ("return elements.flatten(1).mean(1)", "return elements.flatten(1).sum(1)"),
        ("process.target(x0, noise)", "noise"),
        ("error[:, :, mask]", "error * mask"),
    ),
    *_of(
        "models/sampling",
        "models/test_sampling",
        ("(conditional - unconditional)", "(unconditional - conditional)"),
        ("config.guidance != 1.0", "config.guidance > 1.0"),
    ),
    *_of(
        "models/shared_text",
        "models/test_shared_text",
        ("keys, values = encoder", "values, keys = encoder"),
    ),
    *_of(
        "models/denoiser",
        "curvature/test_fisher",
        (r'r"\.attn2\.to_[kv]\."', r'r"\.attn[12]\.to_[kv]\."'),
    ),
    # encoders
    *_of(
        "encoders/joint",
        "methods/test_distilled",
        ("for x in (image, text)]", "for x in (image, text)][1:] + [image]"),
    ),
    *_of(
        "encoders/pretrained",
        "encoders/test_pretrained encoders/test_encoders",
        ("if start == 0:", "if step == 0:"),
    ),
    *_of(
        "encoders/published",
        "encoders/test_published",
        ("ours.mean(0) if len(ours) > 1 else 0", "0"),
    ),
    *_of(
        "encoders/vae",
        "encoders/test_encoders",
        ("/ 127.5 - 1", "/ 255"),
        ("latents / vae.config.scaling_factor", "latents * vae.config.scaling_factor"),
        ("(unit * 255).round()", "(unit * 255)"),
    ),
    *_of(
        "encoders/train_vae",
        "encoders/test_encoders",
        ("posterior.mean + posterior.std *", "posterior.mean + 0 *"),
        ("config.kl_weight * posterior.kl().mean()", "config.kl_weight * posterior.kl().sum()"),
        ("1 / latents.std().item()", "latents.std().item()"),
    ),
    *_of(
        "encoders/train_clip",
        "encoders/test_encoders encoders/test_features",
        ("loss = contrastive(", "loss = -contrastive("),
        ("torch.randint(tokens.shape[1], (len(rows),))", "torch.zeros_like(rows)"),
        ("clamp_(0, np.log(100))", "clamp_(0, 100)"),
    ),
    *_of(
        "encoders/train_dino",
        "encoders/test_features",
        ("uniform(*_SCALE).sqrt()", "uniform(*_SCALE)"),
        ("-height * sin", "height * sin"),
        ("(1 - width) * uniform", "(1 + width) * uniform"),
        ("(1 + math.cos(math.pi * step / steps))", "(1 - math.cos(math.pi * step / steps))"),
    ),
    # training
    *_of(
        "config/experiment",
        "training/test_training",
        ("images - removed if", "images if"),
    ),
    *_of(
        "training/stream",
        "training/test_stream",
        ("torch.arange(n), epoch)", "torch.arange(n), 0)"),
        ("scale_to(draws[1], self.captions)", "scale_to(draws[0], self.captions)"),
        ("to_unit(draws[3])", "to_unit(draws[2])"),
        ("< self.caption_dropout", "> self.caption_dropout"),
        ("caption_dropout=0.0", "caption_dropout=0.1"),
        ("removed=data.held_out", "removed=data.held_out[:0]"),
    ),
    *_of(
        "training/training",
        "training/test_training",
        (".clamp(min=1.0)", ""),
        ("* (step + 1) / config.warmup_steps", "* step / config.warmup_steps"),
        ("learning_rate(config, step, steps))", "learning_rate(config, step + 1, steps))"),
        ("x0, t, noise, text).mean()", "x0, t, noise, text).sum()"),
        ("np.union1d(removed, data.held_out.numpy())", "removed"),
        ("maxlen=max(1, steps // 10)", "maxlen=steps"),
    ),
    *_of(
        "training/state",
        "training/test_resuming",
        ("data.fingerprint, removed.tolist()]", "data.fingerprint]"),
    ),
    # planning
    *_of(
        "planning/costs",
        "planning/test_costs_and_bill",
        ("(3 + 2 * self.seconds / 60)", "(3 + self.seconds / 60)"),
        ("forward=2 * pictures * steps", "forward=pictures * steps"),
        ("seconds=2 * self.fisher().seconds", "seconds=self.fisher().seconds"),
        ("forward=self.images * self.flips * passes", "forward=self.images * passes"),
        ("(losses.timestep_stride) * draws", "(losses.timestep_stride)"),
        ("math.ceil(self.e.model.process", "int(self.e.model.process"),
    ),
    *_of(
        "planning/bill",
        "planning/test_costs_and_bill",
        ('["ratio"].median()', '["ratio"].mean()'),
    ),
    # curvature
    *_of(
        "curvature/fisher",
        "curvature/test_fisher methods/test_ekfac_influence",
        ("gradient.square().sum(0)", "gradient.abs().sum(0)"),
        ("for which in (0, 1)", "for which in (0, 0)"),
        ("damping * mean for", "damping for"),
    ),
    *_of(
        "curvature/ekfac",
        "curvature/test_ekfac methods/test_ekfac_influence",
        ("product.square().sum(0)", "product.sum(0).square()"),
        ("(2 / predicted[0].numel()) ** 0.5", "2 / predicted[0].numel()"),
        ("damping * values.mean()", "damping * values.max()"),
        ("(damping if absolute else", "(damping if False else"),
    ),
    *_of(
        "curvature/per_sample",
        "curvature/test_fisher sweeps/test_gradients",
        ("gradients[name] + value if", "value if"),
        ("g.flatten(2).sum(2), group", "g.flatten(2).mean(2), group"),
        ("unflatten(0, (-1, group)).sum(1)", "unflatten(0, (group, -1)).sum(0)"),
    ),
    *_of(
        "curvature/projection",
        "curvature/test_projection",
        ("to(torch.int8) * 2 - 1", "to(torch.int8) * 0 + 1"),
        ("_FOLD = 32", "_FOLD = 1"),
        ("[order[is_first].sort().values[:count]]", "[order[is_first][:count]]"),
    ),
    # sweeps
    *_of(
        "sweeps/losses",
        "sweeps/test_loss sweeps/test_passes",
        ("captions, data.flips, -1)", "data.flips, captions, -1)"),
        ("images[done : done + len(losses)]", "images[: len(losses)]"),
    ),
    *_of(
        "sweeps/passes",
        "sweeps/test_passes sweeps/test_loss",
        ("caption + self._unit(draw) + stratum", "caption + stratum"),
        ("sign = 1 - 2 *", "sign = 1 - 0 *"),
        (".clamp(max=config.timestep_stride)", ""),
        ("t = t + scale_to", "t = t - scale_to"),
    ),
    *_of(
        "sweeps/gradients",
        "sweeps/test_gradients methods/test_ekfac_influence",
        ("turn = order // 2 if antithetic else order", "turn = order"),
        ("(number * timesteps // draws)", "(number * (timesteps // draws))"),
        ("number * timesteps + scale_to(first, timesteps)", "number * timesteps"),
        ("yield (sums * (halves / draws))", "yield (sums / draws)"),
    ),
    # methods
    *_of(
        "methods/influence/solvers",
        "methods/test_influence",
        ("alpha=1 / flips", "alpha=1"),
        (".view(phi.shape[:2]) / phi.shape[1]", ".view(phi.shape[:2])"),
        ("leverage[~torch.from_numpy(trained[here]).to(device)] = 0", "pass"),
        ("to(phi).sqrt()", "to(phi)"),
        ("g.square().sum(2)", "g.abs().sum(2)"),
        ("(total / models).max(axis=-1)", "(total / models).mean(axis=-1)"),
    ),
    *_of(
        "methods/influence/projector",
        "sweeps/test_gradients",
        ("dim=(1, 2), keepdim=True", "dim=2, keepdim=True"),
        ("seed=config.seed + model_seed", "seed=config.seed"),
    ),
    *_of(
        "methods/ekfac_influence/products",
        "methods/test_ekfac_influence",
        ("by_half[:, :, half, :, half]", "by_half[:, :, half, :, 0]"),
    ),
    *_of(
        "methods/unlearning/family",
        "planning/test_costs_and_bill",
        ("else 1) * entry.steps * entry.gradient_samples", "else 1) * entry.gradient_samples"),
    ),
    *_of(
        "methods/unlearning/readout",
        "sweeps/test_passes",
        ("_SKEW_FLOOR = 1e-3", "_SKEW_FLOOR = 1e-1"),
        ("halves / used.sum()", "halves / passes.count"),
        ("max(axis=1).astype", "min(axis=1).astype"),
        (".any(axis=(0, 1)).all()", ".any()"),
    ),
    *_of(
        "methods/unlearning/steps",
        "methods/test_unlearning",
        ("query_id, step, draws", "query_id, 0, draws"),
        ("losses.sum() / config.gradient_samples", "losses.mean()"),
        ("config.step_size / images", "config.step_size"),
        (" + 0.5) / height", ") / height"),
    ),
    *_of(
        "methods/unlearning/mirrored",
        "methods/test_mirrored",
        ("FORGET = 0.2", "FORGET = 0.5"),
        ("NEAR = 0.95", "NEAR = 1.0"),
        (".clamp(max=null)", ""),
    ),
    *_of(
        "methods/dmin/compression",
        "methods/test_dmin",
        ("1 - 2 * (drawn[1] & 1)", "1 - 0 * (drawn[1] & 1)"),
        ("-(-entries // config.dimension)", "entries // config.dimension"),
        (".cpu() * draws)", ".cpu())"),
    ),
    *_of(
        "methods/distilled/students",
        "methods/test_distilled",
        ("row, rank / candidates", "row, rank / (candidates - 1)"),
    ),
    *_of(
        "methods/patches/weights",
        "methods/test_patches",
        ("(2 * deviation**2)", "(deviation**2)"),
        ("torch.logaddexp(total,", "torch.maximum(total,"),
    ),
    *_of(
        "methods/pixel/scoring",
        "contract/test_scores",
        ("np.maximum(found,", "np.minimum(found,"),
    ),
    *_of(
        "methods/embeddings/scoring",
        "methods/test_embeddings",
        ('mapped(queries, mapper, "queries")', 'mapped(queries, mapper, "images")'),
    ),
    # leave-K-out
    *_of(
        "leave_k_out/removals",
        "leave_k_out/test_removals",
        ("_FIRST_UNION_SET + number * targets", "number * targets"),
        ("Domain.REMOVAL, number)", "Domain.REMOVAL, 0)"),
        ("Domain.TOPIC, number, int(query[1:]))", "Domain.TOPIC, number, 0)"),
        ("order[on_topic], order[~on_topic]", "order[~on_topic], order[on_topic]"),
    ),
    *_of(
        "leave_k_out/oracle",
        "leave_k_out/test_oracle",
        ('np.argsort(along, kind="stable")', "np.arange(len(along))"),
        ("changes.T[:, groups]", "-changes.T[:, groups]"),
    ),
    *_of(
        "leave_k_out/costs",
        "planning/test_costs_and_bill",
        ("forward=queries * self.timesteps(stride)", "forward=queries"),
    ),
    *_of(
        "leave_k_out/measures/measure",
        f"leave_k_out/measures/test_measures {STATISTICS}/test_estimates",
        ("self.direction * (values - self.unchanged)", "values - self.unchanged"),
        ("return lowest - highest, highest - lowest", "return lowest, highest"),
    ),
    *_of(
        "leave_k_out/measures/delta_loss",
        "leave_k_out/measures/test_measures",
        (".mean() / 2 / len", ".mean() / len"),
    ),
    *_of(
        "leave_k_out/measures/mse",
        "leave_k_out/measures/test_measures",
        ("/ 255.0).mean()", "/ 255.0).sum()"),
    ),
    *_of(
        "leave_k_out/measures/ssim",
        "leave_k_out/measures/test_measures",
        ("data_range=255", "data_range=1"),
    ),
    *_of(
        f"{STATISTICS}/arms",
        f"{STATISTICS}/test_estimates {STATISTICS}/test_power",
        ("array.mean(axis=1)", "array[:, 0]"),
        ('["evaluation_error"].pow(2).mean()', '["evaluation_error"].mean()'),
    ),
    *_of(
        f"{STATISTICS}/clusters",
        f"{STATISTICS}/test_clusters",
        ('" and ".join(own)', "own[0] if own else None"),
        ("np.square(sizes).sum() / queries) / (count - 1)", "0) / (count - 1)"),
        ("between >= between[0]", "between > 2 * between[0]"),
    ),
    *_of(
        f"{STATISTICS}/comparisons",
        f"{STATISTICS}/test_comparisons {STATISTICS}/test_estimates",
        ("level=LEVEL / len(pairs)", "level=LEVEL"),
    ),
    *_of(
        f"{STATISTICS}/drift",
        f"{STATISTICS}/test_drift",
        (".abs().median()", ".median()"),
        ("abs(drift.mean()) / effect", "drift.mean() / effect"),
    ),
    *_of(
        f"{STATISTICS}/equivalents",
        f"{STATISTICS}/test_equivalents",
        ("weighted = by_model * weights", "weighted = by_model"),
        ("curves.equivalent(measure.as_effect(cell))", "curves.equivalent(cell)"),
        ("difference.high, last=True", "difference.high"),
        ("share * (self.grid[after]", "0 * (self.grid[after]"),
    ),
    *_of(
        f"{STATISTICS}/estimates",
        f"{STATISTICS}/test_estimates",
        ("return cells - topic.mean(axis=1)", "return cells - topic[:, 0]"),
    ),
    *_of(
        f"{STATISTICS}/forgetting",
        f"{STATISTICS}/test_measurements",
        ("groups[name].sem()", "groups[name].std()"),
    ),
    *_of(
        f"{STATISTICS}/lds",
        f"{STATISTICS}/test_lds",
        ("size=(resamples, models - 1)", "size=(resamples, 2 * models)"),
        ("again.mean(axis=0).var()", "again.var()"),
        ("score.within((-1, 1))", "score"),
        ("(1 + inner**2 / 2)", "1"),
        ("1 - 12 /", "1 - 6 /"),
        ("max(high, rho)", "high"),
        ("(methods - 3)", "methods"),
        ("2 * known.sum() >= arms.queries", "known.sum() >= 2"),
    ),
    *_of(
        f"{STATISTICS}/power",
        f"{STATISTICS}/test_power {STATISTICS}/test_clusters",
        ("(within - shared) / random.shape[1]", "0"),
        ("queries / (queries - 1)", "1"),
        ("self.noise / retrainings", "self.noise"),
        ("max(1, self.models - 1)", "self.models"),
        ("own = self.design *", "own ="),
        ("shared / models, models", "shared, models"),
        ("2 * retraining, 0.0, 1", "retraining, 0.0, 1"),
        ("members)[0][0] / len(values)", "members)[0][0]"),
        ("freedom, e) - POWER", "freedom, e) - 0.5"),
        ("(n - 1) / (clusters - 1)", "n / clusters"),
        ("isf(level / 2) + stats.norm", "isf(level / 2) - stats.norm"),
    ),
    *_of(
        f"{STATISTICS}/repeatability",
        f"{STATISTICS}/test_repeatability",
        ("2 * correlation / (1 + correlation)", "correlation"),
        ('groups["overlap"].sem()', 'groups["overlap"].std()'),
    ),
    *_of(
        f"{STATISTICS}/seeds",
        f"{STATISTICS}/test_seeds",
        ("var(ddof=1) / 2", "var(ddof=1)"),
    ),
    *_of(
        f"{STATISTICS}/snr",
        f"{STATISTICS}/test_snr",
        ("0.9 * spread", "1.06 * spread"),
        ("1.4826 * float", "float"),
        ("np.sqrt(-0.5 / curvature)", "np.sqrt(-1 / curvature)"),
        ("np.abs(scores) > WIDTHS", "scores > WIDTHS"),
    ),
    *_of(
        f"{STATISTICS}/spent",
        f"{STATISTICS}/test_spent",
        ('(table["seconds"] + table["seconds_once"])', 'table["seconds"]'),
    ),
    *_of(
        f"{STATISTICS}/timesteps",
        f"{STATISTICS}/test_timesteps",
        ("losses[part].sum() / losses.sum()", "losses[part].mean() / losses.mean()"),
        ("stride * part[-1]", "part[-1]"),
    ),
    *_of(
        f"{STATISTICS}/tuning",
        f"{STATISTICS}/test_tuning",
        ("criterion.direction * excess", "excess"),
        ('["excess"].mean()', '["excess"].max()'),
    ),
    # customized models
    *_of(
        "customized/retrieval",
        "customized/test_retrieval",
        ("(k - above.sum()) / tied.sum()", "1"),
    ),
    *_of(
        "customized/statistics",
        "customized/test_retrieval",
        ('"mean": queries.mean()', '"mean": of_models.mean()'),
        ("2.0 ** (1 - len(differences))", "2.0 ** -len(differences)"),
        ('holm(table["p"].to_numpy())', 'table["p"].to_numpy()'),
    ),
    *_of(
        "customized/customize",
        "customized/test_customized",
        ("config.prior_weight * kept.mean()", "kept.mean()"),
        ("loss = loss +", "loss = loss -"),
    ),
]  # fmt: skip
