# make demo · make unlock · make join · make bundle · make plan · make benchmark · make gpu-check · make test · make test-all · make test-slurm
# · make test-mutants · make lint · make docs · make setup: each sets up all that it needs.
PYTHON ?= python3
EXPERIMENT ?= digits
BIN := .venv/bin
READY := .venv/.ready
# Tests that share runs of the workflow stay on one worker (tests/conftest.py), and start first.
PARALLEL := -n 2 --no-loadscope-reorder
# On machines with few cores, numerical libraries that start threads of their own slow jobs down.
export OMP_NUM_THREADS ?= 1
# Bytecode of the libraries is written when they are first imported, a fifth of their files; without
# it, each job would compile them again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo unlock join bundle plan benchmark gpu-check test test-all test-slurm test-mutants lint format docs lock clean

# The environment alone.
setup: $(READY)

demo: $(READY)
	@$(BIN)/python workflow/scripts/run_study.py --configfile config/$(EXPERIMENT).yaml

# After a run that was killed, and before the same command again: make unlock EXPERIMENT=digits
unlock: $(READY)
	@$(BIN)/snakemake --unlock --configfile config/$(EXPERIMENT).yaml

# A method of yours beside those of a bundled study: make join STUDY=digits METHOD=mine,
# with SCORES=folder if its scores were computed elsewhere (docs/joining.md).
join: $(READY)
	@$(BIN)/python workflow/scripts/join_study.py --study $(or $(STUDY),digits) \
	    --method $(or $(METHOD),$(error name the method: make join METHOD=mine)) \
	    $(if $(SCORES),--scores $(SCORES))

# A finished study as a folder that others can join: make bundle EXPERIMENT=digits
bundle: $(READY)
	$(BIN)/snakemake --cores all --configfile config/$(EXPERIMENT).yaml -- bundle

# Every heavy step at COCO's architecture on this machine, beside plain loops; some minutes.
benchmark: $(READY)
	PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/throughput.py

# What the first half hour on a GPU should answer; at most 25 minutes.
gpu-check: $(READY)
	PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/gpu_check.py

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

# Breaks each formula, one at a time, and names those that no unit test notices (CONTRIBUTING.md).
# Some only: make test-mutants ONLY=curvature
test-mutants: $(READY)
	$(BIN)/python tests/support/try_mutants.py $(ONLY)

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

# Writes config/README.md from the docstrings of the typed configuration.
docs: $(READY)
	$(BIN)/python workflow/scripts/document_config.py > config/README.new
	mv config/README.new config/README.md

# Pins the newest versions that requirements.in allows, for every platform, without addresses.
lock: $(READY)
	$(BIN)/uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --upgrade --output-file requirements.lock
	{ sed '/- pip:/q' environment.yml; \
	  sed -n 's/^\([a-z][^ ]*==[^\\]*[^ \\]\) *\\$$/      - "\1"/p' requirements.lock; } > environment.new
	mv environment.new environment.yml

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(shell sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.lock)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@touch $@

clean:
	rm -rf .venv .snakemake results/digits results/tiny resources/digits
