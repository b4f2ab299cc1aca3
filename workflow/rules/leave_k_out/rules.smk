# The stages of a leave-K-out study, in their order.


include: "queries.smk"
include: "published.smk"
include: "topics.smk"
include: "retrain.smk"
include: "oracle.smk"
include: "forgetting.smk"
include: "statistics.smk"
include: "report.smk"
include: "preview.smk"
include: "bundle.smk"
