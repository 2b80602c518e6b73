# Everything a person types. `make` alone lists the targets.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := --all-extras --group dev
ENV ?= dev
# npm's `latest` of the CDK's command line is 3.x, which rejects assemblies of aws-cdk-lib 2.
# The wheel's own `npx` is a copy of a link and does not find its library, so the script behind it is named.
NODE = $$($(BIN)/python -m stacks.node)
CDK = PATH="$(NODE):$$PATH" node "$(NODE)/../lib/node_modules/npm/bin/npx-cli.js" --yes aws-cdk@2.1148.1

.PHONY: help setup demo test prove check format lock synth package deploy clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## virtual environment with pinned, hash-checked packages

$(STAMP): requirements.lock bootstrap.lock pyproject.toml
	@echo "sluice: installing into $(VENV) with $(PYTHON) (once, a minute or two)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "sluice needs Python 3.11, 3.12 or 3.13: install one, or say make PYTHON=/path/to/python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes bootstrap.lock requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: setup ## the whole pipeline, offline, on a year of flights (under two minutes)
	@$(BIN)/sluice demo

test: setup ## every test
	@$(BIN)/python -m pytest

prove: setup ## the heavier evidence: what takes minutes to show
	@$(BIN)/python -m pytest -m proof || test $$? -eq 5 # 5: there is none yet

check: setup ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## let ruff format and fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

synth: setup ## CloudFormation templates into cdk.out, no account needed
	@CDK_OUTDIR=cdk.out $(BIN)/python app.py && ls cdk.out/*.template.json

package: setup ## third-party packages of the Lambda functions, for their runtime, without Docker
	@$(BIN)/python -m stacks.packages

deploy: package ## show what would change, ask, deploy: make deploy ENV=dev
	@$(CDK) diff --all -c env=$(ENV) -c packaged=true
	@read -r -p "sluice: deploy this to $(ENV)? [y/N] " answer && [ "$$answer" = y ]
	@$(CDK) deploy --all --require-approval never -c env=$(ENV) -c packaged=true || \
		{ echo "sluice: a new account or region wants this once: npx aws-cdk@2.1148.1 bootstrap"; exit 1; }

lock: setup ## resolve the dependencies again (hashes, no index addresses)
	@$(BIN)/uv pip compile pyproject.toml $(EXTRAS) --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet --output-file requirements.lock
	@echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" | $(BIN)/uv pip compile - --universal --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet --output-file bootstrap.lock

clean: ## remove what was built, keep the virtual environment
	@rm -rf cdk.out build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
