# Which jobs run where Snakemake runs, and not on a cluster: those of seconds, those that need the
# network, and in a small study those of a minute that need no GPU. (The directive `localrules` would
# warn of each rule that an experiment does not have.)

LOCAL = {
    *("all", "plan", "fetch", "tuning", "queries", "controls", "cells", "bundle", "tidy"),
    *("write_dataset", "fetch_dataset", "check_dataset", "write_digits", "fetch_encoder"),
    *("fetch_published", "import_prompts", "import_curvature", "import_scores"),
    *("tabulate_published", "published_check"),
    *("fetch_tasks", "fetch_benchmark", "write_models", "write_pool"),
    *("import_source", "import_mapper", "import_customization", "add_tokens", "mark_trained"),
    *("attribute_by_external", "attribute_by_oracle"),
    *("tabulate_measurements", "tabulate_removals", "tabulate_seeds", "tabulate_repeatability"),
    *("tabulate_costs", "tabulate_drift", "tabulate_forgetting", "record_cost"),
    *("estimate", "compare", "find_equivalents", "score_lds", "choose_settings"),
    *("measure_retrieval", "measure_tuning", "plot", "draw_idea", "draw_filmstrip", "preview"),
    *("write_headline", "write_report", "write_bundle", "open_source", "open_outcomes"),
}
LOCAL_IF_SMALL = {
    *("prepare_images", "group_images", "find_topics", "attribute_by_pixel", "measure_outcomes"),
    *("draw_attributed", "split_by_timestep"),
}
NAMES = [one.name for one in workflow.rules]
workflow.localrules(*(LOCAL & {*NAMES}), *(LOCAL_IF_SMALL & {*NAMES} if STUDY_IS_SMALL else ()))
