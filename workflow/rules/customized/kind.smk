# The second kind of experiment, the Customized Model benchmark: models customized on a few exemplars
# generate queries, and methods have to find the exemplars again among the images of a pool.
# This file answers what shared rules ask of a kind; the stages of its own follow in rules.smk.

import hashlib

CUSTOMIZED = config["customized"]
KINDS = EXPERIMENT.customized.kinds()
MODELS = list(KINDS)
TEST_NUMBERS = query_names("q", config["queries"]["test"])
TUNING_NUMBERS = query_names("t", config["queries"]["tuning"])
TEST_QUERIES = [f"{model}-{number}" for model in MODELS for number in TEST_NUMBERS]
TUNING_QUERIES = [f"{model}-{number}" for model in MODELS for number in TUNING_NUMBERS]
QUERIES = TEST_QUERIES + TUNING_QUERIES
TEACHER_QUERIES = []
# What methods score: pool and exemplars, whose captions hold the models' tokens.
SCORED = {
    **ENCODED,
    "text": ancient("<results>/customized/text.npy"),
    "null_text": "<results>/customized/null_text.npy",
    "text_checksum": "<results>/customized/text.json",
}
# Studies of this kind are not joined.
PUBLISHED_IMAGES = {}
# How many images N of eq. 5 stands for: the base model was trained on more than the pool.
TRAINED_ON = CUSTOMIZED["trained_on"] or DATASET["images"]
# Methods that need scores, beside `methods` and `tuning.methods`.
FURTHER_METHODS = []
# Keys of `unlearning` that its inputs imply.
IMPLIED_BY_INPUTS = ("without_token",)
# Models' files may be given in folders, which need not be there when a study is planned.
GIVEN = DATASET["source"] == "folder"
BEGUN = Path(f"results/{config['experiment']}/data/images.parquet").exists()


wildcard_constraints:
    model=one_of(MODELS),
    query=f"({one_of(MODELS)})-[qt]\\d\\d\\d+",


def model_of(query):
    """The name of the model that generated a query."""
    return query.rsplit("-", 1)[0]


def weights_of(model):
    """The weights of a model: the base model's, and those that it has in place of some of them."""
    source = "<results>/source/model.safetensors"
    return [source, f"<results>/models/{model}/weights.safetensors"] if model in MODELS else source


def projection_seed(model):
    """The seed of a model's random projection: that of the base model for all."""
    return 0


def query_text_of(method):
    """The prompts' states from which a variant of unlearning starts: with V* or without it."""
    without = config["unlearning"][method]["without_token"]
    return "<results>/queries/" + ("text_without_token.npy" if without else "text.npy")


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


include: "data.smk"
