"""Configurations are valid as shipped, and mistakes are refused in one sentence."""

import re
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import yaml

from configured import CONFIG, experiment
from document_config import OTHERS
from leavekout.base.errors import InputError
from leavekout.config.document import document
from leavekout.config.fields import Section
from leavekout.config.reading import merge, merged, read_yaml, require_all_files
from leavekout.customized.config import CustomizedExperiment
from leavekout.kinds import read_experiment
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.removals import study_models
from leavekout.methods import registry
from project import ROOT

ALL = [path.stem for path in sorted(CONFIG.glob("*.yaml"))]


@pytest.mark.parametrize("name", ALL)
def test_every_configuration_is_valid_and_named_after_its_file(name: str) -> None:
    once = experiment(name)
    others = ("ablations", "first", "80gb", "40gb")  # in the folder of coco
    in_another = {f"coco-{other}": "coco" for other in others}
    in_another |= {f"coco-day-{other}": "coco-day" for other in ("first", "24gb")}
    assert once.experiment == in_another.get(name, name)
    # As `make plan` does, to which Snakemake gives what the Snakefile made of it.
    assert read_experiment(once.model_dump(mode="json"), []) == once


def test_ablations_of_coco_train_no_model_of_coco_s_again() -> None:
    coco, ablations = (
        {model.outcome: model for model in study_models(experiment(name))}
        for name in ("coco", "coco-ablations")
    )
    shared = coco.keys() & ablations.keys()
    assert len(shared) > 900
    assert all(coco[path].as_dict() == ablations[path].as_dict() for path in shared)


def test_the_readme_is_made_of_the_docstrings() -> None:
    assert (CONFIG / "README.md").read_text() == document(LeaveKOut, OTHERS), "run: make docs"


def subclasses(kind: Any) -> list[Any]:
    return [sub for one in kind.__subclasses__() for sub in (one, *subclasses(one))]


def test_every_key_is_explained() -> None:
    sections = subclasses(Section)
    assert {LeaveKOut, CustomizedExperiment} <= set(sections)
    unexplained = [
        f"{section.__name__}.{key}"
        for section in sections
        for key, field in section.model_fields.items()
        if not field.description
    ]
    assert unexplained == []
    assert [section.__name__ for section in sections if not section.__doc__] == []


def has_plain_text(kind: Any, *, bounded: bool = False) -> bool:
    """Whether a type has texts that nothing checks; keys of mappings do not count."""
    parts = get_args(kind)[1:] if get_origin(kind) is dict else get_args(kind)
    return (kind is str and not bounded) or (
        get_origin(kind) is not Annotated and any(has_plain_text(part) for part in parts)
    )


def test_every_text_that_is_no_path_is_known() -> None:
    plain = {
        f"{section.__name__}.{key}"
        for section in subclasses(Section)
        for key, field in section.model_fields.items()
        if has_plain_text(field.annotation, bounded=bool(field.metadata))
    }
    assert plain == {
        *("HubFolder.revision", "FetchedEncoders.endpoint"),
        *("Archive.url", "Archive.mirrors", "CocoDataset.pictures", "Joins.url"),
        *("Download.revision", "Download.file", "Download.url", "Download.member"),
        *("PublishedScores.entry", "PublishedBenchmark.revision"),
        *("TaskList.url", "TaskList.sha256"),
        *("Customization.initial_word", "Hardware.stage_to"),
    }


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("~/x", "'~' and '$' are not replaced in paths; write the whole path"),
        ("$HOME/x", "'~' and '$' are not replaced"),
        ("a/${X}", "'~' and '$' are not replaced"),
        ("a{b}", "braces are wildcards for Snakemake; rename the file or folder"),
    ],
)
def test_paths_mean_what_is_written(path: str, reason: str) -> None:
    for changes, key in (
        ({"dataset": {"root": path}}, "dataset.root"),
        ({"external": {"mine": path}}, "external.mine"),
        ({"extra_rules": [path]}, "extra_rules.0"),
        ({"published": {"text": path}}, "published.text"),
        ({"embeddings": {"mine": {"mapper": path}}}, "embeddings.mine.mapper"),
    ):
        with pytest.raises(InputError, match=re.escape(f"'{key}' is {path!r}, but {reason}")):
            experiment("digits-base", **changes)
    for fine in ("a~b", "cash$", "100$ bills", "Übung (1)/a b"):
        assert experiment("digits-base", dataset={"root": fine}).dataset.root == fine


def test_coco_has_the_papers_values() -> None:
    coco = experiment("coco")
    assert coco.dataset.images == 118_287
    assert coco.training.epochs == 200
    assert (coco.training.batch_size, coco.training.learning_rate) == (128, 1e-4)
    assert coco.fisher.samples == 5 * coco.dataset.images
    assert (coco.losses.timestep_stride, coco.losses.captions) == (50, 5)
    assert coco.unlearning["unlearning"].step_size == 0.01
    assert coco.counterfactual.k == [500, 1000, 4000]
    *ks, largest = coco.counterfactual.random.sizes()
    assert (ks[:7], largest) == ([500, 1000, 2000, 3000, 4000, 5000, 7000], 117_000)
    assert (coco.sampling.steps, coco.sampling.guidance) == (1000, 7.5)
    assert coco.queries.test == 110


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"traning": {}},
         "--config: unknown key 'traning'; the nearest known key is 'training'."),
        ({"training": {"learning_rat": 1}},
         "unknown key 'training.learning_rat'; the nearest known key is 'learning_rate'."),
        ({"encoders": {"vae": {"chanels": [1]}}},
         "unknown key 'encoders.vae.chanels'; the nearest known key is 'channels'."),
        ({"unlearning": {"mine": {"stepsize": 1}}},
         "unknown key 'unlearning.mine.stepsize'; the nearest known key is 'step_size'."),
        ({"training": {"epochs": None}}, "'training.epochs' is None, but"),
        ({"unlearning": {"mine": {"without_token": True}}},
         "'unlearning.mine.without_token' is for the queries of customized models"),
        ({"dmin": {"dmin": {"timesteps": "random"}}}, "'dmin.dmin.timesteps' has to be 'uniform'"),
        ({"training": {"epochs": 0}},
         "'training.epochs' is 0, but input should be greater than 0."),
        ({"training": {"learning_rate": float("inf")}}, "'training.learning_rate' is inf, but"),
        ({"training": {"weight_decay": float("inf")}}, "is inf, but input should be a finite num"),
        ({"sampling": {"guidance": float("nan")}}, "'sampling.guidance' is nan, but"),
        ({"training": {"epochs": "many"}}, "'training.epochs' is 'many', but input should be"),
        ({"sampling": {"sampler": "ddmp"}}, "'sampling.sampler' is 'ddmp', but input should be"),
        ({"counterfactual": {"k": [100, -5]}}, "'counterfactual.k.1' is -5, but"),
        ({"counterfactual": {"k": [5000]}},
         "K = 5,000 leaves nothing of the 1,797 training images of experiment 'digits-base' "
         "(counterfactual.k)."),
        ({"counterfactual": {"random": {"k": [1797]}}}, "(counterfactual.random.k)."),
        ({"losses": {"captions": 9}}, "'losses.captions' is 9, but 'dataset.captions' keeps 5"),
        ({"evaluation": {"timestep_stride": 2000}}, "more than the 1000 timesteps"),
        ({"counterfactual": {"retrain_seeds": [0]}}, "the source model's own seed"),
        ({"counterfactual": {"k": []}}, "'counterfactual.k' is [], but"),
        ({"counterfactual": {"random": {"sets": 5, "half_size_sets": 4}}},
         "leaves one model alone"),
        ({"dataset": {"topics": None},
          "counterfactual": {"topic": {"sets": 2, "seed": 0}, "k": [400]}},
         "'counterfactual.topic.nearest' · K = 2,000 is more than the 1,797 training images"),
        ({"counterfactual": {"looks": [3, 2]}}, "its numbers should ascend, to at most the 3"),
        ({"counterfactual": {"looks": [3, 9]}}, "its numbers should ascend, to at most the 3"),
        ({"counterfactual": {"looks": [1, 2]}}, "models are trained for 3 queries, which is none"),
        ({"dataset": {"topics": ["one|1", "two|"]}}, "'dataset.topics.1' is 'two|', but"),
        ({"tuning": {"methods": ["unlearning"], "k": [100]}}, "'queries.tuning' is 0"),
        ({"tuning": {"k": [100]}}, "'tuning.methods' is empty"),
        ({"tuning": {"k": [100], "settings": {"trak": [{}], "unlearning": [{}, {}]}}},
         "gives 'unlearning' 2 and 'trak' 1 to choose from; give every method as many"),
        ({"tuning": {"k": [100], "settings": {"pixel": [{}]}}},
         "'tuning.settings.pixel' is no entry of unlearning, embeddings"),
        ({"tuning": {"k": [100], "settings": {"unlearning": [{"step_sze": 1}]}}},
         "unknown key 'unlearning.unlearning-t0.step_sze'; the nearest known key is 'step_size'"),
        ({"tuning": {"k": [100], "criterion": "dino", "settings": {"trak": [{}]}},
          "queries": {"tuning": 2}}, "'tuning.criterion' is 'dino', none of the measures"),
        ({"counterfactual": {"k": [50, 50]}}, "'counterfactual.k' is [50, 50], but its entries sh"),
        ({"methods": []}, "'methods' is [], but"),
        ({"training": {"seed": 2**32}}, "'training.seed' is 4294967296, but"),
        ({"unlearning": {"random": {"weights": "all", "step": "newton", "step_size": 1, "steps": 1,
                                    "gradient_samples": 1, "seed": 0}}},
         "'unlearning.random' has a name that is taken"),
        ({"unlearning": {"clip": {"weights": "all", "step": "newton", "step_size": 1, "steps": 1,
                                  "gradient_samples": 1, "seed": 0}}},
         "'embeddings.clip' has a name that is under 'unlearning', too"),
        ({"unlearning": {"unlearning": {"boxes": {"q1": [0, 0, 1, 1]}}}}, "boxes.q1"),
        ({"embeddings": {"dino": {"encoder": "dion"}}},
         "'embeddings.dino.encoder' is none of the encoders (clip, dino)"),
        ({"embeddings": {"dino": {"features": "text"}}}, "can be 'text' for the encoder clip only"),
        ({"influence": {"trak": {"gradients": "los"}}},
         "'influence.trak.gradients' is no entry of 'gradients'"),
        ({"influence": {"trak": {"solver": "datainf"}}}, "needs gradients with the layout"),
        ({"influence": {"trak": {"solver": "das"}}},
         "has to be 'das' for gradients of the objective 'mean_output', and only then"),
        ({"gradients": {"loss": {"shared_draws": True}}},
         "'influence.trak.query_draws' has to be 10, as many as the draws"),
        ({"distilled": {"mine": {"teacher": "clip", "encoder": "dino", "candidates": 9, "seed": 0,
                                 "epochs": 1, "batch_size": 9}}},
         "'distilled.mine.teacher' is no entry of 'unlearning'"),
        ({"patches": {"nda": {"patch": 2, "timesteps": [100], "best": 9, "seed": 0}}},
         "'patches.nda.patch' has to be odd"),
        ({"gradients": {"loss": {"antithetic": True}}, "influence": {"trak": {"query_draws": 5}}},
         "'influence.trak.query_draws' have to be even with 'antithetic'"),
        ({"unlearning": {"unlearning": {"readout": "skew"}}, "losses": {"timestep_stride": 1000}},
         "and 'losses.timestep_stride' leaves none of them"),
        ({"tuning": {"k": [], "settings": {"trak": [{}]}}, "queries": {"tuning": 2}},
         "'tuning.k' is empty, and settings are chosen by the effect of their removal"),
        ({"tuning": {"k": [100], "settings": {"trak": [{}]}}, "influence": {"trak": 3}},
         "'influence.trak' is 3, but"),
        ({"losses": {"draws": 3, "antithetic": True}}, "'losses.draws' is 3, but has to be even"),
        ({"losses": {"refine": {"share": 0.05, "draws": 10}}},
         "which is 90 images, fewer than the 100 that are removed"),
        ({"influence": {"trak": {"query_timestep": 1000}}}, "is beyond the last one, 999"),
        ({"influence": {"trak": {"source_seeds": []}}}, "'influence.trak.source_seeds' is []"),
        ({"gradients": {"loss": {"layout": "by_layer"}},
          "influence": {"trak": {"solver": "datainf", "damping": 0}}}, "has to be above 0"),
        ({"unlearning": {"unlearning": {"curvature": "ekfac", "weights": "all"}}},
         "'unlearning.unlearning.weights' has to be 'cross_attention_kv' for 'ekfac'"),
        ({"unlearning": {"unlearning": {"boxes": {"q999": [0, 0, 1, 1]}}}},
         "'unlearning.unlearning.boxes.q999' is no query"),
        ({"unlearning": {"unlearning": {"boxes": {"q000": [0.5, 0, 0.5, 1]}}}}, "has no inside"),
        ({"forgetting": {"methods": ["clip"], "k": [], "related": 1, "seed": 0}},
         "'forgetting.methods' names 'clip', which makes no unlearned model"),
        ({"forgetting": {"methods": ["unlearning"], "k": [77], "related": 1, "seed": 0}},
         "'forgetting.k' holds 77, but only models of 'counterfactual.k' are trained"),
        ({"forgetting": {"methods": ["unlearning"], "k": [1797], "related": 1, "seed": 0}},
         "(forgetting.k)."),
        ({"counterfactual": {"more": {"methods": ["clip"], "k": [100]}}},
         "K = 100 is in 'counterfactual.k' and in 'counterfactual.more.k'"),
        ({"counterfactual": {"again": {"seed": 7, "every": 4}}},
         "'counterfactual.again.seed' is 7, and none of 'counterfactual.retrain_seeds'"),
        ({"counterfactual": {"union": {"methods": ["clip"], "k": 9, "queries": 2, "others": 2}}},
         "'counterfactual.union' takes 2 queries and 2 others of the 3 test queries"),
        ({"counterfactual": {"union": {"methods": ["clip"], "k": 9, "queries": 2, "others": 1,
                                       "sets": 2}}}, "has 2 unions of 2 queries, more than the 3"),
        ({"counterfactual": {"union": {"methods": ["clip"], "k": 900, "queries": 2, "others": 1}}},
         "K = 1,800 leaves nothing of the 1,797 training images"),
        ({"measures": []}, "'measures' is [], but"),
        ({"customized": {"root": "x", "objects": ["a"], "styles": [], "queries": "generated"}},
         "'counterfactual' is not for this kind of experiment, which has 'customized'"),
        ({"oracle": {"groups": 1}}, "'oracle.groups' is 1, but"),
        ({"dataset": {"source": "archives"}}, "'dataset.archives' names no archive to fetch"),
        ({"dataset": {"background": "#ff000080"}}, "'dataset.background' is '#ff000080', but"),
        ({"dataset": {"background": "whitish"}}, "'dataset.background' is 'whitish', but"),
        ({"dataset": {"image_size": 18}}, "'dataset.image_size' is 18, but has to be a multiple of "
         "4, because the VAE has 3 levels."),
        ({"dataset": {"image_size": 32}}, "'model.unet.sample_size' is 4, but the latents of "
         "32-pixel images have a side of 8: the 3 levels of the VAE make it 4 times smaller."),
        ({"model": {"unet": {"block_out_channels": [36]}}}, "has to be a multiple of "
         "'norm_num_groups', 8."),
        ({"encoders": {"clip": {"width": 32}}}, "'model.unet.cross_attention_dim' is 64, but has "
         "to be 32, the width of the text states ('encoders.clip.width')."),
        ({"encoders": {"vae": {"norm_groups": 5}}}, "'encoders.vae.channels' is [16, 32, 32], but"),
        ({"encoders": {"dino": {"patch_size": 5}}}, "'encoders.dino.patch_size' is 5, but patches "
         "have to fill the images' 16 pixels."),
        ({"encoders": {"clip": {"heads": 5}}}, "'encoders.clip.heads' is 5, but has to divide"),
        ({"methods": ["../x"]}, "'methods.0' is '../x', but string should match pattern"),
        ({"unlearning": {"Bad Name": {}}}, "'unlearning.Bad Name' is 'Bad Name', but"),
        ({"experiment": "a/b"}, "'experiment' is 'a/b', but"),
    ],
)  # fmt: skip
def test_each_mistake_is_refused_in_one_sentence(changes: dict, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        experiment("digits-base", **changes)
    [line] = [line for line in str(error.value).splitlines() if sentence in line]
    assert line.startswith(("--config: ", f"{CONFIG / 'digits-base.yaml'}: "))  # which has the key


def test_a_key_of_the_base_is_blamed_on_the_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("experiment: base\ncolour: red\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nexperiment: mine\n")
    with pytest.raises(InputError, match=r"base.yaml: unknown key 'colour'"):
        read_experiment({}, [tmp_path / "mine.yaml"])


def test_a_null_between_two_files_hides_what_the_first_has(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    (tmp_path / "a.yaml").write_text("tuning: { methods: [one], k: [1] }\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\ntuning: null\n")
    path.write_text("extends: b.yaml\ntuning: { k: [2] }\n")
    assert merged({}, [path]).tree["tuning"] == {"k": [2]}


def test_a_byte_order_mark_and_merged_mappings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: &a { b: 1 }\nc: { <<: *a, b: 2 }\nd: [08, 10, 0.5, 0x10]\n")
    assert read_yaml(path) == {"a": {"b": 1}, "c": {"b": 2}, "d": ["08", 10, 0.5, 16]}


@pytest.mark.parametrize("k", [True, "0100", "1_00", "08"])
def test_a_number_is_not_read_from_what_is_none(k: Any) -> None:
    with pytest.raises(InputError, match=r"^--config: 'counterfactual.k.0' is .* taken as"):
        experiment("digits-base", counterfactual={"k": [k]})
    with pytest.raises(InputError, match=r"'dataset.flips' is 1, which would be taken as True"):
        experiment("digits-base", dataset={"flips": 1})


def test_a_null_on_the_command_line_is_one() -> None:
    """Snakemake reads what is in braces there as words."""
    e = experiment(
        "digits-base",
        training={"gradient_clip": "null", "learning_rate": "1e-3", "epochs": "3"},
        dataset={"flips": "true"},
        tuning="null",
        counterfactual={"union": "~", "k": ["10"]},
        extra={"a": "null", "b": ["1", "true", "x"], "c": {"d": "0.5"}},
    )
    assert (e.training.gradient_clip, e.tuning, e.counterfactual.union) == (None, None, None)
    assert (e.training.learning_rate, e.training.epochs, e.dataset.flips) == (1e-3, 3, True)
    assert e.extra == {"a": None, "b": [1, True, "x"], "c": {"d": 0.5}}
    assert e.counterfactual.k == [10]


def test_two_files_count_in_order_each_with_what_it_extends(tmp_path: Path) -> None:
    for name, text in {
        "base": "a: 1\nb: 1\n",
        "first": "extends: base.yaml\nb: 2\nc: 2\n",
        "other": "c: 3\nd: 3\n",
        "second": "extends: other.yaml\nd: 4\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    files = [tmp_path / "first.yaml", tmp_path / "second.yaml"]
    layers = merged({"d": 5}, files)
    assert layers.tree == {"a": 1, "b": 2, "c": 3, "d": 5}
    named = [Path(layers.file_of(key)).stem for key in ("a", "b", "c", "d", "missing")]
    assert named == ["base", "first", "other", "--config", "second"]


@pytest.mark.parametrize("option", ["--configfile", "--configfiles", "--configf"])
def test_a_second_configfile_does_not_drop_the_first(option: str, tmp_path: Path) -> None:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    require_all_files(["-n", option, str(a), str(b), "--config", "x=1"], [a, b])
    require_all_files([f"{option}={a}"], [a])
    require_all_files([], [a])
    for arguments in ([option, str(a), option, str(b)], [f"{option}={a}", "-n", option, str(b)]):
        with pytest.raises(InputError, match=r"a.yaml: Snakemake takes only the last --configfile"):
            require_all_files(arguments, [b])


@pytest.mark.parametrize(
    ("extends", "sentence"),
    [
        ("[a]", "has to name one file"),
        ("no.yaml", "x.yaml: 'extends' names .*no.yaml"),
        ("x.yaml", "leads back to this file"),
    ],
)
def test_what_is_extended_is_a_file(extends: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"extends: {extends}\n")
    with pytest.raises(InputError, match=sentence):
        merged({}, [tmp_path / "x.yaml"])


def test_configurations_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {other}.yaml\n")
    with pytest.raises(InputError, match="leads back"):
        read_experiment({}, [tmp_path / "a.yaml"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"a: [1\n", "line 2: not valid YAML"),
        (b"- a\n", "expected a mapping"),
        (b"", "expected a mapping"),
        (b"a: 1\nb: 2\na: 3\n", "line 3: .*the key 'a' is there twice, first in line 1"),
        (b"a:\n  b: 1\n  'b': 2\n", "line 3: .*the key 'b' is there twice, first in line 2"),
        (b"a: {b: 1, b: 1}\n", "the key 'b' is there twice"),
        (b"a: [{b: 1, b: 1}]\n", "the key 'b' is there twice"),
        (b"a:\n\tb: 1\n", "line 2: .*a tab where only blanks may be"),
        (b"k: [0100]\n", "line 1: .*'0100' can be read as several numbers"),
        (b"k: [1_00]\n", "'1_00' can be read"),
        (b"k: [12:30]\n", "'12:30' can be read"),
        (b"x: 1_0.5\n", "'1_0.5' can be read"),
        (b"# caf\xe9\na: 1\n", "line 1: not text in UTF-8; save the file as UTF-8"),
        (b"a: 1\n\x00\xff\xfe", "line 2: not text in UTF-8"),
        ("a: 1\n".encode("utf-16"), "not text in UTF-8"),
        (b"a: \x00\n", "not valid YAML"),
        (b"a: 2024-13-45\n", "not valid YAML"),
        (b"[" * 5000, "not valid YAML"),
        (b"a: !!python/object/apply:os.system [ls]\n", "line 1: not valid YAML"),
        (b"a: 1\n---\nb: 1\n", "not valid YAML"),
        (b"methods: !!set {b, a}\n", "line 1: not valid YAML .*'tag:yaml.org,2002:set'"),
        (b"extra: &a { b: *a }\n", "not valid YAML .Circular reference"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(text)
    with pytest.raises(InputError, match=sentence):
        read_yaml(path)
    with pytest.raises(InputError, match="there is no such configuration file"):
        read_yaml(tmp_path / "nothing.yaml")


def test_a_section_of_another_source_replaces_the_base_whole() -> None:
    base = {"encoders": {"source": "train", "vae": {"epochs": 1}}, "x": {"a": 1, "b": 2}}
    changes = {"encoders": {"source": "fetch", "clip": 1}, "x": {"b": 3}}
    expected = {"encoders": {"source": "fetch", "clip": 1}, "x": {"a": 1, "b": 3}}
    assert merge(base, changes) == expected


@pytest.mark.parametrize("cuda", ["", "-cu12"])
def test_conda_users_get_the_locked_packages(cuda: str) -> None:
    environment = yaml.safe_load((ROOT / f"environment{cuda}.yml").read_text())
    listed = environment["dependencies"][-1]["pip"]
    lock = (ROOT / f"requirements{cuda}.lock").read_text()
    assert listed == re.findall(r"^(\S+==.*?) *\\$", lock, re.M), "run: make lock"


def test_the_locks_differ_in_pytorch_alone() -> None:
    versions = [
        dict(re.findall(r"^(\S+)==(\S+)", (ROOT / name).read_text(), re.M))
        for name in ("requirements.lock", "requirements-cu12.lock")
    ]
    newest, older = versions
    assert (older["torch"], older["torchvision"]) == ("2.10.0", "0.25.0")
    differing = {name for name in {*newest, *older} if newest.get(name) != older.get(name)}
    pytorchs = r"torch|torchvision|triton|(nvidia|cuda)-.*"
    assert [name for name in sorted(differing) if not re.fullmatch(pytorchs, name)] == []


def test_a_latent_that_a_fetched_vae_cannot_give_is_refused() -> None:
    with pytest.raises(InputError, match="is 48, but a VAE halves the images' 128 pixels"):
        experiment("coco", model={"unet": {"sample_size": 48}})


def test_scores_from_elsewhere_may_have_the_name_of_a_method_that_we_have() -> None:
    """As a contributed row of such a method has, when it is checked."""
    e = experiment("digits-base", methods=["dmin", "clip"], external={"dmin": "scores/dmin"})
    assert not registry.scored_here(e, "dmin")
    assert registry.scored_here(e, "clip")
    twice = {"external": {"dmin": "scores/dmin"}, "dmin": {"dmin": {}}}
    with pytest.raises(InputError, match=r"'external.dmin' has a name that is under 'dmin', too"):
        experiment("digits-base", methods=["dmin"], **twice)


def test_keys_of_a_section_that_another_kind_has_are_refused_unless_null() -> None:
    assert experiment("tiny-custom", dataset={"subset_seed": None, "topics": None})
    with pytest.raises(InputError, match=r"'dataset.subset_seed' is not for this kind of exp.*'cu"):
        experiment("tiny-custom", dataset={"subset_seed": 0})
    with pytest.raises(InputError, match=r"unknown key 'dataset.subset_sead'"):
        experiment("tiny-custom", dataset={"subset_sead": None})
