# One door to everything: `make` lists the targets. Each of them makes what it needs first.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Every target that `make help` lists is one of work, not a file.
.PHONY: clean requirements $(shell sed -n 's/^\([a-z-]*\):.*## .*/\1/p' $(firstword $(MAKEFILE_LIST)))

VENV := .venv
BIN := $(VENV)/bin
# A .venv of their own for the tools that `make bench` compares with.
PEERS_VENV := .venv-peers
SOURCES := worker upcasters tests website
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?=
# How many processes run tests; they share one broker. More than cores, since most tests wait for a broker.
PYTEST_PROCESSES ?= 4
# The suite starts Python hundreds of times; each start would compile all sources again.
export PYTHONDONTWRITEBYTECODE :=

# The first Python that is new enough; `make install PYTHON=/path/to/python` overrides it.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c '$(SUPPORTED)' >/dev/null 2>&1; then echo $$python; break; fi; done)

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/dev.installed ## make .venv with the `upcast` command and the development tools

$(VENV)/dev.installed: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "installing the worker and its development tools into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $(VENV)/demo.installed $@

demo: $(VENV)/demo.installed ## everything on one screen, with a real Kafka broker of its own (needs no Docker)
	@$(BIN)/upcast demo

test: lint ## the checks of `lint`, then all tests on a real Kafka broker (PYTEST_ARGS="-k name --broker=docker")
	$(BIN)/pytest -n $(PYTEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(VENV)/dev.installed ## ruff, mypy --strict and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.installed ## let ruff rewrite the sources
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

api-fuzz: $(VENV)/dev.installed ## schemathesis over both versions of the API, thousands of requests (EXAMPLES=n)
	$(BIN)/python -m tests.api_fuzz $(EXAMPLES)

chaos: $(VENV)/dev.installed ## a million records, 50 faults, nothing lost (SEED=n RECORDS=n FAULTS=n BROKER=3.7 SCENARIOS=no, or KINDS="worker killed,..." NODES=3)
	$(BIN)/python -m tests.faults.chaos

brokers: $(VENV)/dev.installed ## a short form of it on Kafka 2.8 to 4.4, failover included (VERSIONS="3.4 4.4.0:2", WRITE=--write renews the page)
	$(BIN)/python -m tests.brokers $(WRITE) $(VERSIONS)

soak: $(VENV)/dev.installed ## half an hour of faults, and nothing grows (MINUTES=n RATE=n SEED=n)
	$(BIN)/python -m tests.faults.soak

upgrade-story: $(VENV)/dev.installed ## the migration guide's upgrade from end to end on real parts, and back again
	@$(BIN)/python -m tests.upgrade.story

upgrade-day: $(VENV)/dev.installed ## docs/upgrade-day.md with 200,000 events, kills and writing producers (WRITE=--write renews the page)
	$(BIN)/python -m tests.upgrade_day $(WRITE)

coverage: $(VENV)/dev.installed ## the tests of upcasters/ reach each of its lines and branches, or this fails (ten minutes)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -p no:xdist -k "not test_speed" tests/unit/upcasters tests/example_chains tests/docs/test_upcasters_md.py
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='upcasters/*' --fail-under=100

model: $(VENV)/dev.installed ## check the model of the protocol with spin, and that each of its rules is needed (WRITE=--write renews the page)
	@$(BIN)/python -m tests.protocol $(WRITE)

mutation: $(VENV)/dev.installed ## change the engine in small ways and see which tests notice (MUTATION_ARGS="--every 1")
	@$(PIP_INSTALL) --require-hashes -r requirements/mutation.txt
	$(BIN)/python tests/mutation.py $(MUTATION_ARGS)

bench: $(PEERS_VENV)/peers.installed ## the worker and its peers drain the same topics, an hour and more (CASES="350 7k" PEERS="aiokafka-tuned" REPEAT=n SCALE=0.5)
	@# What Python compiles at a first import is not what a drain writes.
	$(BIN)/python -m compileall -q worker upcasters
	$(BIN)/python -m benchmarks.drain $(if $(CASES),--cases "$(CASES)") $(if $(PEERS),--peers "$(PEERS)") \
		$(if $(REPEAT),--repeat $(REPEAT)) $(if $(SCALE),--scale $(SCALE))

bench-smoke: $(VENV)/dev.installed ## what an event costs inside a lane, as ratios, in some seconds
	$(BIN)/python -m benchmarks.smoke

bench-chain: $(VENV)/dev.installed ## the engine beside hand-written functions: CPU time, ratios, and what was asked for
	$(BIN)/python -m benchmarks.chain

bench-replay: $(VENV)/dev.installed ## what plan, replay and verify cost beside the worker's own work (EVENTS=n)
	$(BIN)/python -m benchmarks.replay $(EVENTS)

bench-partitions: $(VENV)/dev.installed ## 1,000 partitions in 20 routes: start, idle, files, scrape, traffic (five minutes)
	@$(BIN)/python -m benchmarks.partitions $(PARTITIONS_ARGS)

bench-rows: $(VENV)/dev.installed ## documents in a database brought up, beside a bare loop
	@$(BIN)/python -m benchmarks.rows

profile: $(PEERS_VENV)/peers.installed ## a flame graph of a drain, and where each microsecond goes (CASE=350, EVENTS=n)
	$(BIN)/python -m benchmarks.profile $(if $(CASE),--case $(CASE)) $(if $(EVENTS),--events $(EVENTS))

docs: $(VENV)/docs.installed ## build the site of docs/ strictly, and serve it on 127.0.0.1:8000 (PORT=n, or DO=build)
	@$(BIN)/python -m website $(or $(DO),serve) $(if $(PORT),--port $(PORT))

deploy-tools: $(VENV)/deploy.installed $(VENV)/docs.installed $(BIN)/actionlint ## what checks deploy/ and .github/, and builds the site, for their tests

deploy-check: $(VENV)/deploy.installed ## build, run and upgrade what is in deploy/ for real, then the three below (20 minutes; root needs no Docker engine, it starts one)
	$(BIN)/pytest -p no:randomly -v -rs tests/deploy
	$(BIN)/pytest -p no:randomly -v -rs -o "python_files=check_*.py" tests/deploy
	@$(MAKE) --no-print-directory release-check sbom bench-sidecar

bench-sidecar: $(VENV)/dev.installed ## memory and CPU of a sidecar, idle and draining, against the targets (two minutes; SECONDS=n RECORDS=n)
	@$(BIN)/python -m benchmarks.sidecar $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RECORDS),--records $(RECORDS))

release-check: dist ## install the wheel into an empty environment and run the demo from it
	@echo "installing the wheel into an empty environment"
	@$(PYTHON) -m venv --clear build/release && build/release/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements/demo.txt
	@build/release/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps dist/*.whl
	@build/release/bin/python -m pip check
	cd build/release && bin/upcast --version && bin/upcast demo --events 2000

sbom: dist ## dist/upcast-worker.cdx.json: every dependency with version and licence, as CycloneDX
	@$(PYTHON) -m venv --clear --without-pip build/image
	@$(PIP_INSTALL) --prefix $(CURDIR)/build/image --ignore-installed --require-hashes -r requirements/runtime.txt
	@$(PIP_INSTALL) --prefix $(CURDIR)/build/image --ignore-installed --no-index --no-deps dist/*.whl
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-format JSON --output-file dist/upcast-worker.cdx.json build/image/bin/python

dist: $(VENV)/release.installed ## the source distribution, and the wheel that is built of it
	@rm -rf dist build
	$(BIN)/python -m build --no-isolation

$(VENV)/release.installed: requirements/release.txt $(VENV)/dev.installed
	@$(PIP_INSTALL) --require-hashes -r requirements/release.txt
	@touch $@

dashboard: $(VENV)/deploy.installed ## write deploy/grafana/upcast.json again
	@$(BIN)/python deploy/grafana/dashboard.py > build.upcast.json && mv build.upcast.json deploy/grafana/upcast.json

manifests: $(VENV)/dev.installed ## write the files of deploy/kubernetes that are made of others
	@$(BIN)/python -m tests.deploy.prometheusrule

$(VENV)/deploy.installed: requirements/deploy.txt $(VENV)/dev.installed
	@echo "installing the tools that check what is in deploy/ into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements/deploy.txt
	@touch $@

# Its hashes are in go.sum. Where Go is missing, its test skips and says so.
$(BIN)/actionlint: requirements/actionlint/go.mod requirements/actionlint/go.sum | $(BIN)/python
	@if command -v go >/dev/null; then \
		cd requirements/actionlint && GOBIN=$(CURDIR)/$(BIN) go install github.com/rhysd/actionlint/cmd/actionlint; \
	else echo "Go is missing, which builds actionlint: the workflows will not be checked"; fi

$(VENV)/docs.installed: requirements/docs.txt website/mermaid.py $(VENV)/dev.installed
	@echo "installing what builds the site into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements/docs.txt
	@$(BIN)/python -m website.mermaid
	@touch $@

$(VENV)/demo.installed: requirements/demo.txt pyproject.toml | $(BIN)/python
	@echo "installing the worker into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements/demo.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS_VENV)/peers.installed: requirements/peers.txt benchmarks/peers/KafkaStreams.java | $(VENV)/dev.installed
	@echo "installing what the worker is measured against into $(PEERS_VENV)"
	@test -x $(PEERS_VENV)/bin/python || $(BIN)/python -m venv $(PEERS_VENV)
	@$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt
	@$(BIN)/python -m benchmarks.drain.peers
	@touch $@

$(BIN)/python:
	@$(if $(strip $(PYTHON)),,echo "No Python 3.11 to 3.14 found. Install one, or name it: make PYTHON=/path/to/python3"; exit 1)
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "$(PYTHON) is not a Python 3.11 to 3.14. Name another: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) could not make $(VENV). On Debian and Ubuntu the package python3-venv is missing."; exit 1; }

# Every version of Python and every platform in one file: markers where they differ, hashes of all artefacts.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

requirements: $(VENV)/dev.installed ## pin the requirements files again (UPGRADE=--upgrade takes newer versions)
	@$(PIP_INSTALL) --require-hashes -r requirements/lock.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra demo --group build --group dev -o requirements/dev.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra demo --group build --constraint requirements/dev.txt -o requirements/demo.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra postgresql --extra tracing --group image --constraint requirements/dev.txt -o requirements/runtime.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:build --constraint requirements/dev.txt -o requirements/build.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:release --constraint requirements/dev.txt -o requirements/release.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:deploy --constraint requirements/dev.txt -o requirements/deploy.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:docs --constraint requirements/dev.txt -o requirements/docs.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:mutation --constraint requirements/dev.txt -o requirements/mutation.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:peers -o requirements/peers.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:lock -o requirements/lock.txt

clean: ## remove .venv and everything else that git ignores
	rm -rf $(VENV) $(PEERS_VENV) build dist *.egg-info .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
