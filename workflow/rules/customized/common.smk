# The second kind of experiment, the Customized Model benchmark: models customized on a few exemplars
# generate queries, and methods have to find the exemplars again among the images of a pool.
# What shared rules ask of a kind comes first, and then the names that the rules beside use.

CUSTOMIZED = config["customized"]
KINDS = EXPERIMENT.customized.kinds()
CUSTOM_MODELS = list(KINDS)
TEST_NUMBERS = list(numbered("q", config["queries"]["test"]))
TUNING_NUMBERS = list(numbered("t", config["queries"]["tuning"]))
# What methods score: pool and exemplars, whose captions hold the models' tokens.
SCORED = {
    **ENCODED,
    "text": ancient("<results>/customized/text.npy"),
    "null_text": "<results>/customized/null_text.npy",
    "text_checksum": "<results>/customized/text.json",
}
METHODS_OF_BUNDLE = []  # this kind has no bundles
# The base model was trained on more than the pool.
TRAINED_ON = CUSTOMIZED["trained_on"] or DATASET["images"]
# Each model has gradients of its own, and one job scores its queries.
QUERIES_OF_A_JOB = [f"{{model}}-{number}" for number in TEST_NUMBERS + TUNING_NUMBERS]
NAME_OF_A_JOB = "{method}/{model}"
# Models' files may be given in folders, which need not be there when a study is planned.
GIVEN = DATASET["source"] == "folder"
BENCHMARK = CUSTOMIZED.get("published")
# Folders of models that a rule writes from published files.
WRITTEN_MODELS = CUSTOMIZED["root"] if BENCHMARK else []
BEGUN = Path(f"results/{config['experiment']}/data/images.parquet").exists()


wildcard_constraints:
    model=one_of(CUSTOM_MODELS),
    query=f"({one_of(CUSTOM_MODELS)})-[qt]\\d\\d\\d+",


def model_of(query):
    """The name of the model that generated a query."""
    return query.rsplit("-", 1)[0]


def weights_of(model):
    """The weights of a model: the base model's, and those that it has in place of some of them."""
    own = collect("<results>/models/{model}/weights.safetensors", model={model} & {*CUSTOM_MODELS})
    return ["<results>/source/model.safetensors", *own]


def explaining_models(wildcards):
    """The models whose gradients explain the queries of a job: the one that generated them."""
    return [wildcards.model]


def losses_of(model):
    """The losses of all images under a model."""
    return f"<results>/losses/{model}/loss.npy"


def trained_rows_of(wildcards):
    """Which images the model of a job was trained on: the pool, and its own exemplars."""
    return f"<results>/models/{wildcards.model}/trained.npy"


def projection_seed(model):
    """The seed of a model's random projection: that of the base model for all."""
    return 0


def methods_needed():
    """The methods that have to have scores."""
    return list(dict.fromkeys([*METHODS, *TUNING["methods"]]))


def if_there(file):
    """The file, or nothing if it is of given customized models and is not there yet.

    So a study can be planned before its files are there; then the job says which is missing.
    """
    return [] if GIVEN and not BEGUN and not Path(file).exists() else file


def given_weights(wildcards):
    """The files of a given customized model's weights, as far as they are there."""
    folder = Path(CUSTOMIZED["root"], wildcards.model)
    return sorted(str(path) for path in folder.glob("pytorch_custom_diffusion_weights.*"))


def token_checksums(wildcards):
    """Checksums of a given customized model's token: `<new1>.bin` would be a path variable."""
    files = sorted(Path(CUSTOMIZED["root"], wildcards.model).glob("<*>.*"))
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
