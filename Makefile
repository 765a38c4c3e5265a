# Requires GNU make and Python 3.11 or later.
# Everything is installed into .venv and removed by `make clean`, except for the system programs that the
# tests run: scripts/programs.sh.

.DEFAULT_GOAL := help

# Without byte code, each of some hundred processes of the tests compiles all that it loads.
unexport PYTHONDONTWRITEBYTECODE

# Most programs in Go that the tests run end before they have much garbage.
export GOGC := 1000

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check
LOCKER := uv>=0.9,<1
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/uv pip compile --quiet --no-config \
	--universal --python-version 3.11 --generate-hashes $(LOCK_FLAGS)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: demo
demo: $(VENV)/.run-time ## Run the exporter with a simulated account; needs no key, stop with Ctrl-C
	@$(VENV)/bin/telnyx-sim-exporter demo

FASTER := 1
.PHONY: demo-stack
demo-stack: $(VENV)/.run-time ## Run the demo with Prometheus and Alertmanager; FASTER=20 speeds up the rules; OPTIONS=--help
	@scripts/programs.sh prometheus prometheus-alertmanager
	@$(PYTHON) -m demo_stack --faster $(FASTER) $(OPTIONS)

.PHONY: docs
docs: $(VENV)/.run-time ## Write the tables of metrics, alerts and log events in docs
	@$(PYTHON) scripts/docs.py

.PHONY: dashboards
dashboards: $(VENV)/.dev ## Regenerate the Grafana dashboards
	@$(PYTHON) -m dashboards

.PHONY: schema
schema: $(VENV)/.run-time ## Write the exporter's settings into the chart's values.schema.json
	@$(PYTHON) scripts/values_schema.py

.PHONY: generated
generated: docs dashboards schema ## Write all that is generated, the recorded exposition included
	env RECORD_ANEW=1 $(PYTHON) -m pytest -q tests/end_to_end/test_recorded.py

# worksteal, because a few tests take a minute.
PARALLEL := -n auto --dist worksteal

.PHONY: test
test: ## Run the linters and all tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint programs
	$(PYTHON) -m pytest $(PARALLEL)

.PHONY: test-thorough
test-thorough: $(VENV)/.dev ## Run the property tests with many more examples, and all combinations
	$(PYTHON) -m pytest $(PARALLEL) -m "hypothesis or combined" --hypothesis-profile=thorough --timeout=1800

.PHONY: test-as-user
test-as-user: ## Run tests as an unprivileged user on Debian's Python, as root
	@scripts/test-as-user.sh

# highest or lowest-direct, see uv's --resolution.
RESOLUTION := highest
CORE := $(addprefix tests/,app cli config ledger metrics scheduling simulator sinks sync telnyx web)
TOOLS := hypothesis jsonschema packaging pytest pytest-asyncio pytest-timeout pytest-xdist telnyx
.PHONY: test-ranges
test-ranges: dist ## Run the core tests without lock files; RESOLUTION=highest or lowest-direct
	$(PIP) install "$(LOCKER)"
	$(VENV)/bin/uv venv --quiet --clear --python $(PYTHON) build/ranges
	$(VENV)/bin/uv pip install --quiet --no-config --python build/ranges --resolution $(RESOLUTION) \
		--requirements pyproject.toml
	$(VENV)/bin/uv pip install --quiet --no-config --python build/ranges dist/*.whl $(TOOLS)
	env CI= build/ranges/bin/python -m pytest $(PARALLEL) $(CORE)

.PHONY: lint
lint: $(VENV)/.dev ## Check style and types
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy

.PHONY: coverage
coverage: $(VENV)/.dev programs ## Run all tests and show uncovered lines and branches
	$(PYTHON) -m pytest $(PARALLEL) --cov --cov-report=term-missing:skip-covered

.PHONY: bench
bench: $(VENV)/.dev ## Run all benchmarks, or NAMES="requests scrapes"
	@scripts/programs.sh postgresql prometheus-alertmanager
	@$(PYTHON) -m benchmarks $(NAMES)

BASE := HEAD~1
ROUNDS := 3
.PHONY: bench-compare
bench-compare: $(VENV)/.dev ## Compare the benchmarks of BASE=HEAD~1 and the working tree, ROUNDS=3
	@$(PYTHON) -m benchmarks.compare $(BASE) $(NAMES) --rounds $(ROUNDS)

MINUTES := 5
.PHONY: soak
soak: $(VENV)/.dev ## Kill the exporter and inject API faults for MINUTES=5, then verify its counters
	@$(PYTHON) -m benchmarks.soak --minutes $(MINUTES)

.PHONY: soak-replicas
soak-replicas: $(VENV)/.dev ## Break three replicas, their database and the API for MINUTES=5, then verify
	@scripts/programs.sh postgresql prometheus
	@$(PYTHON) -m benchmarks.soak_replicas --minutes $(MINUTES)

.PHONY: dist
dist: $(VENV)/.run-time ## Build the wheel and the source distribution into dist
	@rm -rf dist
	@$(PYTHON) -m hatchling build

.PHONY: sbom
sbom: $(VENV)/.run-time ## Write the SBOM with hashes and licenses to build/sbom.cdx.json
	@mkdir -p build
	@$(PYTHON) scripts/sbom.py requirements.lock >build/sbom.cdx.json.part
	@mv build/sbom.cdx.json.part build/sbom.cdx.json

# --strict: packages unknown to the vulnerability service would pass otherwise.
.PHONY: audit
audit: $(VENV)/.dev ## Check the locked dependencies for known vulnerabilities; needs the network
	@$(PYTHON) -m pip_audit --strict --require-hashes --disable-pip --progress-spinner off \
		$(foreach lock,$(wildcard requirements*.lock),--requirement $(lock))

.PHONY: lock
lock: $(PYTHON) ## Update requirements*.lock from pyproject.toml, keeping valid pins
	$(PIP) install "$(LOCKER)"
	$(LOCK) --output-file requirements.lock --extra postgres pyproject.toml
	$(LOCK) --output-file requirements-build.lock --group build --constraint requirements.lock
	$(LOCK) --output-file requirements-dev.lock --group build --group dev \
		--constraint requirements.lock --constraint requirements-build.lock --extra postgres pyproject.toml

.PHONY: upgrade
upgrade: LOCK_FLAGS := --upgrade
upgrade: lock ## Update requirements*.lock to the newest versions that pyproject.toml allows

.PHONY: clean
clean: ## Remove the virtual environment, caches and build results
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: programs
programs:
	@scripts/programs.sh

$(PYTHON):
	@scripts/venv.sh $(VENV)

# The stamp files are in the environment, so that they are removed with it. The package is installed
# separately, because pip cannot verify the hash of a directory, and with the pinned build backend.
$(VENV)/.run-time: pyproject.toml requirements.lock requirements-build.lock | $(PYTHON)
	@echo "Installing the exporter's dependencies into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Most modules of the tools are never imported: the others are compiled when they are.
$(VENV)/.dev: requirements-dev.lock $(VENV)/.run-time
	@echo "Installing the development dependencies into $(VENV) ..."
	@$(PIP) install --no-compile --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
