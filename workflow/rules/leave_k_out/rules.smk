# The stages of a leave-K-out study, in their order.


include: "queries.smk"
include: "models.smk"
include: "counterfactual.smk"
include: "oracle.smk"
include: "forgetting.smk"
include: "statistics.smk"
include: "bundle.smk"
include: "report.smk"
