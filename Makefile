.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON := .venv/bin/python

.PHONY: help setup run test test-fast lint format lock bench clean

help: ## This list
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install the locked packages into .venv
	@local_stack/setup.sh

run: ## Start everything on this machine and stay up (the same as ./start_local_airflow.sh)
	@./start_local_airflow.sh

test: setup ## Everything that passes or fails, the whole chain included
	@$(PYTHON) -m pytest

test-fast: setup ## Unit tests only: no Spark, no emulated AWS, no chain
	@$(PYTHON) -m pytest -m "not spark and not aws and not chain"

lint: setup ## ruff and mypy, nothing fixed
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

format: setup ## Let ruff fix what it can
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

lock: setup ## Resolve pyproject.toml into requirements.lock again
	@.venv/bin/uv pip compile --universal --generate-hashes --no-header --quiet pyproject.toml -o requirements.lock

clean: ## Remove the state of local runs (.local); the packages in .venv stay
	@rm -rf .local
