# The stages of an experiment on customized models, in their order.


include: "models.smk"
include: "retrieval.smk"
