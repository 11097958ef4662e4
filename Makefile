.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON := .venv/bin/python

ENVIRONMENT ?= dev
TEST_WORKERS ?= 2
DEPLOY = $(PYTHON) -m ops.deploy

.PHONY: help setup run reconcile report test test-long test-docker test-exact test-fast lint format lock audit bench drill clean plan deploy status destroy

help: ## This list
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install the locked packages into .venv
	@local_stack/setup.sh

run: ## Start everything on this machine and stay up (the same as ./start_local_airflow.sh)
	@./start_local_airflow.sh

reconcile: setup ## Where every event ended up: prints the account, fails if anything differs
	@$(PYTHON) -m ops.reconcile

report: setup ## A page about the newest run, for any browser: .local/report.html, and in S3 beside its logs
	@set -a; if [ -f .local/env ]; then . .local/env; fi; $(PYTHON) -m ops.report

test: setup ## Everything that passes or fails: the whole chain, and the container stacks where Docker answers
	@$(PYTHON) -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

test-long: setup ## The property tests of the lake, many times as long (LAKE_SEED=N repeats a run)
	@export LAKE_SEED=$${LAKE_SEED:-$$(date +%s)} LAKE_HISTORIES=30 LAKE_MODEL_HISTORIES=100000; \
	$(PYTHON) -m pytest -s --hypothesis-seed=$$LAKE_SEED tests/emr_jobs/test_ingest_model.py \
	  tests/emr_jobs/test_incremental_histories.py tests/emr_jobs/test_lake_histories.py

test-docker: setup ## Only the container stacks: built, brought up, run, taken down (needs a Docker engine)
	@$(PYTHON) -m pytest tests/docker -m docker

test-exact: setup ## A real Trino 476: as Athena, and the same answers to the saved questions (821 MB, once)
	@$(PYTHON) -m local_stack.trino.install
	@$(PYTHON) -m pytest tests/sql tests/local_stack/trino -m exact

test-fast: setup ## Unit tests only: no Spark, no emulated AWS, no chain, no Docker
	@$(PYTHON) -m pytest -m "not spark and not aws and not chain and not docker and not exact"

lint: setup ## ruff and mypy, nothing fixed
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

format: setup ## Let ruff fix what it can
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

plan: setup ## What deploying would change: make plan ENVIRONMENT=dev|prod [OPTIONS="--only buckets"]
	@$(DEPLOY) plan --environment $(ENVIRONMENT) $(OPTIONS)

deploy: setup ## Show the change, ask, deploy: make deploy ENVIRONMENT=dev|prod [OPTIONS=--yes]
	@$(DEPLOY) apply --environment $(ENVIRONMENT) $(OPTIONS)

status: setup ## Every stack's state and outputs: make status ENVIRONMENT=dev|prod
	@$(DEPLOY) status --environment $(ENVIRONMENT) $(OPTIONS)

destroy: setup ## Remove the stacks; refuses on data: make destroy ENVIRONMENT=dev|prod [OPTIONS=--delete-data]
	@$(DEPLOY) destroy --environment $(ENVIRONMENT) $(OPTIONS)

audit: setup ## Known vulnerabilities of the locked packages (asks osv.dev: needs the internet)
	@.venv/bin/uv tool run pip-audit@2.10.1 --vulnerability-service osv --require-hashes --disable-pip \
	  $(addprefix --requirement ,requirements.lock emr_jobs/requirements.lock local_stack/trino/requirements.lock \
	  tests/cloudformation/checkov.lock)

lock: setup ## Resolve pyproject.toml into requirements.lock again
	@.venv/bin/uv pip compile --universal --generate-hashes --no-header --quiet pyproject.toml -o requirements.lock
	@.venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	  -c requirements.lock emr_jobs/requirements.in -o emr_jobs/requirements.lock
	@.venv/bin/uv pip compile --universal --generate-hashes --no-header --quiet --python-version 3.11 \
	  local_stack/trino/requirements.in -o local_stack/trino/requirements.lock
	@.venv/bin/uv pip compile --universal --generate-hashes --no-header --quiet --python-version 3.11 \
	  tests/cloudformation/checkov.in -o tests/cloudformation/checkov.lock

bench: setup ## Every benchmark, figures as JSON lines: make bench [NAMES="kpis producer"]
	@$(PYTHON) -m benchmarks $(NAMES)

drill: setup ## Break each part of the chain, let it recover, count events: make drill [NAMES="scheduler"]
	@$(PYTHON) -m tests.drills $(NAMES)

clean: ## Remove the state of local runs (.local); packages and jars stay
	@[ ! -d .local ] || find .local -mindepth 1 -maxdepth 1 ! -name spark ! -name trino -exec rm -rf {} +
