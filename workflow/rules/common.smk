# The experiment's configuration, and the names that every stage shares.

from leavekout.errors import InputError
from leavekout.experiment import resolve


report: "../report/workflow.rst"


try:
    EXPERIMENT = resolve(config, [Path(file) for file in workflow.configfiles])
except InputError as error:
    raise WorkflowError(str(error)) from None
config.update(EXPERIMENT.model_dump(mode="json"))


pathvars:
    results=f"results/{config['experiment']}",
    logs=f"results/{config['experiment']}/logs",
    benchmarks=f"results/{config['experiment']}/benchmarks",


HARDWARE = config["hardware"]
COUNTERFACTUAL = config["counterfactual"]
TEST_QUERIES = [f"q{i:03d}" for i in range(config["queries"]["test"])]
TUNING_QUERIES = [f"t{i:03d}" for i in range(config["queries"]["tuning"])]
QUERIES = TEST_QUERIES + TUNING_QUERIES
METHODS = config["methods"]
TUNING = config["tuning"] or {"methods": [], "k": []}

# The cases of the controls: random sets, and trainings of other seeds that remove nothing.
RANDOM_SETS = [f"s{i}" for i in range(COUNTERFACTUAL["random"]["sets"])]
RANDOM_KS = EXPERIMENT.counterfactual.random.sizes()
RETRAIN_SEEDS = [f"seed{seed}" for seed in COUNTERFACTUAL["retrain_seeds"]]

# The arrays of the encoded training set are ancient(): a touched 93 GB file must not restart a
# study. What they are made of is a parameter of every rule that reads them instead, so a changed
# encoder or data set does.
ENCODED = {
    "images": "<results>/data/images.parquet",
    "latents": ancient("<results>/data/latents.npy"),
    "text": ancient("<results>/data/text.npy"),
    "null_text": "<results>/data/null_text.npy",
}
ENCODED_FROM = [config["dataset"], config["encoders"], {"encoding_version": 1}]


wildcard_constraints:
    method="[a-z][a-z0-9_-]*",
    query=r"[qt]\d\d\d+",
    case=r"(s|seed)\d+",
    number=r"\d+",
    seed=r"\d+",
    k=r"\d+",
    weights="[a-z_]+",


def require_known_methods():
    """Stops with one sentence if a method is named that no rule can make."""
    for method in [*METHODS, *TUNING["methods"]]:
        path = f"results/{config['experiment']}/attribution/{method}/q000.npy"
        if not any(rule.is_producer(path) for rule in workflow.rules):
            raise WorkflowError(
                f"methods: no rule in workflow/rules/attribution/ writes the scores of '{method}'; "
                f"variants of unlearning in this configuration: {', '.join(config['unlearning'])}."
            )
