# `make` alone lists what there is. PYTHON=python3.12 picks the interpreter, ARGS="--format json" goes to the command.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test check lint types environment lock schema

IS_NEW_ENOUGH := -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(or $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$python $(IS_NEW_ENOUGH) && echo $$python && break; done),python3)
UV ?= uv
ARGS ?=
BIN := .venv/bin
COMPILE = $(UV) pip compile pyproject.toml --quiet --universal --all-extras --generate-hashes --no-annotate \
  --custom-compile-command "make lock"
COUNTS := .pytest_cache/counts.xml

define PRINT_COUNTS
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).find("testsuite")
print("{tests} tests, {failures} failures, {errors} errors, {skipped} skipped".format(**suite.attrib))
endef
export PRINT_COUNTS

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: environment ## Show the main job on a sample repository and issue, without keys
	@$(BIN)/coordinator demo $(ARGS)

test: environment lint types ## Lint, types, tests, and coverage of at least 95 %
	@mkdir -p $(dir $(COUNTS))
	$(BIN)/python -m coverage run --branch -m pytest --quiet --junitxml=$(COUNTS)
	$(BIN)/python -m coverage report --fail-under=95
	@$(BIN)/python -c "$$PRINT_COUNTS" $(COUNTS)

check: environment lint types ## Lint and types only

lint: environment
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: environment
	$(BIN)/python -m mypy

environment: ## Make .venv from requirements-dev.lock, or find it current
	@$(PYTHON) -I coordinator/install.py --dev .venv >/dev/null

lock: ## Write the lock files anew from pyproject.toml (needs uv)
	$(COMPILE) --upgrade --output-file requirements.lock
	$(COMPILE) --group test --constraint requirements.lock --output-file requirements-dev.lock

schema: environment ## Write docs/coordinator.schema.json anew from the models
	@$(BIN)/python -m coordinator.configuration_schema > docs/coordinator.schema.json.new
	@mv docs/coordinator.schema.json.new docs/coordinator.schema.json
