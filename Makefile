# make demo · make run · make unlock · make preview · make join · make submit · make check-row · make bundle · make status · make plan · make own · make published-check · make benchmark · make gpu-check · make test · make test-all · make test-slurm
# · make test-kills · make test-mutants · make lint · make docs · make site · make setup: each sets up all that it needs.
PYTHON ?= python3
EXPERIMENT ?= digits
KILLS ?= 100
# In a conda environment: make plan BIN="$$CONDA_PREFIX/bin", and so for every other target.
BIN ?= .venv/bin
# For drivers before 580: make setup CUDA=12. The environment stays so until make setup CUDA=13.
CUDA ?= $(lastword 13 $(patsubst .venv/.ready-%,%,$(wildcard .venv/.ready-*)))
LOCK := $(patsubst %-cu13.lock,%.lock,requirements-cu$(CUDA).lock)
READY := $(if $(filter .venv/bin,$(BIN)),.venv/.ready-$(CUDA))
# Tests that share runs of the workflow stay on one worker (tests/conftest.py), and start first.
PARALLEL := -n 2 --no-loadscope-reorder
# On machines with few cores, numerical libraries that start threads of their own slow jobs down.
export OMP_NUM_THREADS ?= 1
# Bytecode of the libraries is written when they are first imported, a fifth of their files; without
# it, each job would compile them again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo run unlock preview join submit check-row bundle status plan own published-check benchmark gpu-check test test-all test-slurm test-kills test-mutants lint format docs site lock clean

# The environment alone.
setup: $(READY)

demo: run

# A study on this machine, by as many of its GPUs: make run EXPERIMENT=coco-day GPUS=4
run: $(READY)
	@$(BIN)/python workflow/scripts/run_study.py --configfile config/$(EXPERIMENT).yaml \
	    $(if $(GPUS),--gpus $(GPUS))

# After a run that was killed, and before the same command again: make unlock EXPERIMENT=digits
unlock: $(READY)
	@$(BIN)/snakemake --unlock --configfile config/$(EXPERIMENT).yaml

# A method of yours beside those of a bundled study: make join STUDY=digits METHOD=mine,
# with SCORES=folder if its scores were computed elsewhere (docs/joining.md).
join: $(READY)
	@$(BIN)/python workflow/scripts/join_study.py --study $(or $(STUDY),digits) \
	    --method $(or $(METHOD),$(error name the method: make join METHOD=mine)) \
	    $(if $(SCORES),--scores $(SCORES))

# Before that, in a minute: what its scores have in common with the others', and whether they look right.
preview: $(READY)
	@$(BIN)/python workflow/scripts/preview_study.py --study $(or $(STUDY),digits-study) \
	    --method $(or $(METHOD),$(error name the method: make preview METHOD=mine)) \
	    $(if $(SCORES),--scores $(SCORES))

# Your row as a folder to contribute, and the check that the project makes of it (docs/joining.md):
# make submit STUDY=digits-study METHOD=mine; make check-row ROW=contributed/digits-study/mine
submit: $(READY)
	@$(BIN)/python workflow/scripts/submit_row.py --study $(or $(STUDY),digits) \
	    --method $(or $(METHOD),$(error name the method: make submit METHOD=mine))

check-row: $(READY)
	@$(BIN)/python workflow/scripts/check_row.py $(ROW)

# A finished study as a folder that others can join: make bundle EXPERIMENT=digits
bundle: $(READY)
	$(BIN)/snakemake --cores all --configfile config/$(EXPERIMENT).yaml -- bundle

# Before any retraining: our scores of the first QUERIES published queries beside the published
# scores; fails if they do not agree. make published-check EXPERIMENT=coco-published QUERIES=2
published-check: $(READY)
	$(BIN)/snakemake --cores all --configfile config/$(EXPERIMENT).yaml \
	    $(if $(QUERIES),--config 'published={scores: {queries: $(QUERIES)}}') -- published_check

# Every heavy step at COCO's architecture on this machine, beside plain loops; some minutes.
benchmark: $(READY)
	PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/throughput.py

# What the first half hour on a GPU should answer; at most 25 minutes.
gpu-check: $(READY)
	PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/gpu_check.py

# How far a study is, and its results so far; runs nothing.
status: $(READY)
	@$(BIN)/python workflow/scripts/show_status.py --configfile config/$(EXPERIMENT).yaml

# A study of your own captioned pictures, a folder or a data set in the Hub's cache: make own
# PICTURES=folder, with NAME=name for another name and PROMPTS=file for prompts of yours
# (docs/own-pictures.md).
own: $(READY)
	@$(BIN)/python workflow/scripts/own_pictures.py $(or $(PICTURES),$(error name the folder: make own PICTURES=folder)) \
	    $(if $(NAME),--name $(NAME)) $(if $(PROMPTS),--prompts $(PROMPTS))

# What a study will cost and has cost; runs nothing.
plan: $(READY)
	@$(BIN)/python workflow/scripts/plan_study.py --configfile config/$(EXPERIMENT).yaml

# What a developer runs: lint, types, unit tests, and the whole workflow on a tiny experiment.
test: lint
	$(BIN)/pytest $(PARALLEL) -m "not thorough" tests/workflow tests/unit

# All of it, as CI does: every method's contract, customized models, COCO's path; then the cluster.
test-all: lint
	$(BIN)/pytest $(PARALLEL) tests/workflow tests/gpu tests/unit
	@if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then $(MAKE) test-slurm; else \
	    echo "The tests on a real SLURM were skipped: they need root on Debian, to install it."; fi

# On a real SLURM of one node, which is installed (root on Debian), started and ended here.
test-slurm: $(READY)
	$(BIN)/python tests/support/slurm_cluster.py --install
	$(BIN)/pytest tests/cluster

# A small study killed at random moments and resumed until it ends, again and again; by hand, before a
# release. A run prints its seed: make test-kills KILLS=20 SEED=7
test-kills: $(READY)
	PYTHONPATH=workflow/scripts $(BIN)/python tests/support/kills.py --kills $(KILLS) $(if $(SEED),--seed $(SEED))

# Breaks each formula, one at a time, and names those that no unit test notices (CONTRIBUTING.md).
# Some only: make test-mutants ONLY=curvature
test-mutants: $(READY)
	PYTHONPATH=workflow/scripts $(BIN)/python tests/support/try_mutants.py $(ONLY)

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint
	$(BIN)/mypy
	PYTHONPATH=workflow/scripts $(BIN)/lint-imports --no-cache --no-logo

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile workflow/rules

# Writes config/README.md from the docstrings of the typed configuration, and docs/fidelity.md.
docs: $(READY)
	$(BIN)/python workflow/scripts/document_config.py > config/README.new
	mv config/README.new config/README.md
	$(BIN)/python workflow/scripts/document_fidelity.py > docs/fidelity.new
	mv docs/fidelity.new docs/fidelity.md

# The documentation and results as a website in build/site/html. Links to files that are no pages go to
# the repository's public address, if it is given: make site REPOSITORY=https://github.com/…/leave-k-out
site: export PYTHONPATH := workflow/scripts
site: $(READY)
	$(BIN)/python workflow/scripts/build_site.py $(if $(REPOSITORY),--repository $(REPOSITORY))
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -c docs build/site/source build/site/html
	@echo "The site is build/site/html/index.html."

# Pins the newest versions that requirements.in allows, for every platform, without addresses. The
# lock for CUDA 12 has the same versions of all that does not depend on PyTorch's.
COMPILE = $(BIN)/uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --quiet
lock: $(READY)
	$(COMPILE) --upgrade --output-file requirements.lock
	cp requirements.lock requirements-cu12.lock
	$(COMPILE) --override requirements-cu12.in --output-file requirements-cu12.lock
	for cuda in "" -cu12; do \
	    { sed "/- pip:/q; s/environment[^ ]*yml/environment$$cuda.yml/; s/requirements[^ ]*lock/requirements$$cuda.lock/" environment.yml; \
	      sed -n 's/^\([a-z][^ ]*==[^\]*[^ \]\) *\\$$/      - "\1"/p' requirements$$cuda.lock; } > environment.new && \
	    mv environment.new environment$$cuda.yml; \
	done

ifneq ($(READY),)
$(READY): $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	@rm -f .venv/.ready*
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(shell sed -n 's/^uv==\([^ ]*\).*/\1/p' $(LOCK))
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python $(LOCK)
	@touch $@
endif

clean:
	rm -rf .venv .snakemake results/digits results/tiny resources/digits
