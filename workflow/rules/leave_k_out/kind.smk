# The first kind of experiment: images that methods name are left out, and models trained again.
# This file answers what shared rules ask of a kind; the stages of its own follow in rules.smk.

from leavekout.bundle.joining import bundle_of, joined_methods

# The published study that this one joins, read before any rule file that a configuration names.
BUNDLE = (
    or_say_why(partial(bundle_of, training_loop=TRAINING_LOOP), EXPERIMENT)
    if config["joins"]
    else None
)
# Whether that is another's, from which this one may have drifted, and not an earlier part of this.
JOINS_ANOTHER = bool(BUNDLE) and not config["joins"]["continues"]
JOINED = joined_methods(EXPERIMENT, BUNDLE) if BUNDLE else []
# Which of its queries resemble each other, if its bundle says so.
PUBLISHED_CLUSTERS = BUNDLE.about.get("clusters") if BUNDLE else None
# What made the parts of this study that come from its own bundle.
MADE_EARLIER = BUNDLE.about.get("versions", []) if BUNDLE and not JOINS_ANOTHER else []
# What a joined study says of its images, which ours have to be.
PUBLISHED_IMAGES = (
    {"published": BUNDLE.about["images"]} if BUNDLE and "images" in BUNDLE.about else {}
)
TEST_QUERIES = query_names("q", config["queries"]["test"])
TUNING_QUERIES = query_names("t", config["queries"]["tuning"])
QUERIES = TEST_QUERIES + TUNING_QUERIES
# Queries that methods may learn from, and that no number is reported of.
TEACHER_QUERIES = query_names("d", config["queries"].get("teacher", 0))
# What methods score.
SCORED = ENCODED
# How many images N of eq. 5 stands for.
TRAINED_ON = DATASET["images"]
# Keys of `unlearning` that its inputs imply.
IMPLIED_BY_INPUTS = ()


wildcard_constraints:
    model=r"source|seed\d+",
    query=r"[qt]\d\d\d+",


def model_of(query):
    """The name of the model that generated a query."""
    return "source"


def weights_of(model):
    """The weights of a model that generates or explains queries.

    That is the source model θ0, or one of an ensemble's, trained with another seed (`seed3`).
    """
    if model in ("source", f"seed{config['training']['seed']}"):
        return "<results>/source/model.safetensors"
    return f"<results>/retrained/no_removal/{model}/k0/weights.safetensors"


def made_afterwards():
    """The rules that come after everything is scored, trained and measured.

    What scores cost is recorded when they are made.
    """
    others = ("tabulate_forgetting", "tabulate_drift", "write_bundle")
    after = [*rules_of("statistics.smk", "report.smk"), *others]
    return [rule for rule in after if rule != "record_cost"]


def projection_seed(model):
    """The seed of a model's random projection: one for each model of an ensemble."""
    seeds = {seed for method in config["influence"].values() for seed in method["source_seeds"]}
    return {f"seed{seed}": seed for seed in seeds}.get(model, 0)


def query_text_of(method):
    """The prompts' states from which a variant of unlearning starts."""
    return "<results>/queries/text.npy"


include: "../shared/data.smk"
