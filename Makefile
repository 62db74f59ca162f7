# One door to everything: `make` lists the targets. Each of them makes what it needs first.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Every target that is listed is one of work, not a file.
.PHONY: clean help requirements wheels $(shell sed -n 's/^\([a-z-]*\):.*## .*/\1/p' $(firstword $(MAKEFILE_LIST)))

VENV := .venv
BIN := $(VENV)/bin
# A .venv of their own for the tools that `make bench` compares with.
PEERS_VENV := .venv-peers
SPARK_VENV := .venv-spark
# Another for the clients that `upcasters.consumers` is tested with.
CLIENTS_VENV := .venv-clients
SOURCES := worker upcasters upcast_authoring upcast_demo tests website
ENGINE := engine/pyproject.toml engine/setup.py
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?=
# How many processes run tests; they share one broker. More than cores, since most tests wait for a broker.
PYTEST_PROCESSES ?= 4
RUN_TESTS = $(BIN)/pytest -n $(PYTEST_PROCESSES) --dist loadfile --no-loadscope-reorder
# The suite starts Python hundreds of times; each start would compile all sources again.
export PYTHONDONTWRITEBYTECODE :=

# The first Python that is new enough; `make install PYTHON=/path/to/python` overrides it.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c '$(SUPPORTED)' >/dev/null 2>&1; then echo $$python; break; fi; done)

# The list of targets has to fit on a screen of 24 lines, so that it does not list itself.
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/dev.installed ## make .venv with the `upcast` command and the development tools

$(VENV)/dev.installed: requirements/dev.txt pyproject.toml $(ENGINE) | $(BIN)/python
	@echo "installing the worker and its development tools into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e ./engine -e .
	@touch $(VENV)/demo.installed $@
	@$(MAKE) --no-print-directory $(VENV)/native.installed

# The extension that runs layout programs. The worker does without: what cannot be built is said in one line.
NATIVE_SOURCES := $(wildcard native/*.toml native/crates.* native/src/*.rs native/reading/Cargo.toml native/reading/src/*.rs)
NATIVE_BUILD := $(CURDIR)/build/native
$(VENV)/native.installed: requirements/native.txt $(NATIVE_SOURCES) | $(BIN)/python
	@if ! command -v cargo >/dev/null; then \
		echo "cargo is missing, which builds the native extension: upcast runs without it (try again: rm $@; make $@)"; \
	else echo "building the native extension (half a minute)" && \
		$(PIP_INSTALL) --require-hashes -r requirements/native.txt && \
		(cd native && cargo generate-lockfile --quiet) && $(BIN)/python native/crates.py && rm -rf $(NATIVE_BUILD)/wheel && \
		CARGO_TARGET_DIR=$(NATIVE_BUILD) $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps \
			--no-build-isolation --wheel-dir $(NATIVE_BUILD)/wheel ./native && \
		$(PIP_INSTALL) --no-deps --no-index --force-reinstall $(NATIVE_BUILD)/wheel/*.whl || \
		echo "the native extension cannot be built: upcast runs without it (try again: rm $@; make $@)"; \
	fi
	@touch $@

demo: $(VENV)/demo.installed ## everything on one screen, with a real Kafka broker of its own; needs no Docker
	@$(BIN)/upcast demo

test: lint $(VENV)/native.installed ## `make lint`, then the tests, on a real Kafka broker (PYTEST_ARGS="-k name")
	$(RUN_TESTS) -m "not long" $(PYTEST_ARGS)

test-long: $(VENV)/dev.installed ## the tests that take longer: kills, faults, a whole upgrade day
	$(RUN_TESTS) -m long $(PYTEST_ARGS)

lint: $(VENV)/dev.installed ## ruff, mypy --strict and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.installed ## let ruff rewrite the sources
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

chaos: $(VENV)/dev.installed ## a million records, 50 faults, nothing lost (SEED=n RECORDS=n FAULTS=n)
	$(BIN)/python -m tests.faults.chaos

brokers: $(VENV)/dev.installed ## a short form of it on Kafka 2.8 to 4.4 (VERSIONS="3.4 4.4.0:2")
	$(BIN)/python -m tests.brokers $(WRITE) $(VERSIONS)

soak: $(VENV)/dev.installed ## half an hour of faults, and nothing grows (MINUTES=n RATE=n SEED=n)
	$(BIN)/python -m tests.faults.soak

upgrade: $(VENV)/dev.installed ## the migration guide's upgrade on real parts, and back (WHAT=day: with kills)
	@$(BIN)/python -m $(if $(filter day,$(WHAT)),tests.upgrade_day $(WRITE),tests.upgrade.story)


coverage: $(VENV)/dev.installed ## that tests reach each line and branch of upcasters/ (ten minutes)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -p no:xdist -k "not test_speed" \
		tests/unit/upcasters tests/unit/schemas tests/unit/authoring tests/example_chains tests/docs/test_upcasters_md.py
	$(BIN)/coverage combine --quiet
	@# What only runs on Spark is tested by archive-check.
	$(BIN)/coverage report --include='upcasters/*' --omit=upcasters/spark.py --fail-under=100

fused: $(VENV)/dev.installed ## generated code against the reference, a million events (EVENTS=n SEED=n)
	@$(BIN)/python -m tests.fused $(EVENTS) $(if $(SEED),--seed $(SEED))

fuzz: $(VENV)/dev.installed $(VENV)/native.installed ## an hour of made-up events and models, natively (MINUTES=n, or WHAT=api)
	@$(BIN)/python -m $(if $(filter api,$(WHAT)),tests.api_fuzz $(EXAMPLES),tests.fuzz $(if \
		$(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)))

model: $(VENV)/dev.installed ## check the model of the protocol with spin, and that each rule is needed
	@$(BIN)/python -m tests.protocol $(WRITE)

mutation: $(VENV)/dev.installed ## small faults in the engine: which tests notice? (MUTATION_ARGS="--every 1")
	@$(PIP_INSTALL) --require-hashes -r requirements/mutation.txt
	$(BIN)/python tests/mutation.py $(MUTATION_ARGS)

# What can be measured, and what each takes; the first one unless another is named.
BENCHES := drain smoke chain avro protobuf consumers archive replay partitions rows sidecar profile
BENCH = $(or $(WHAT),$(firstword $(BENCHES)))
ARGS_drain = $(if $(CASES),--cases "$(CASES)") $(if $(PEERS),--peers "$(PEERS)") \
	$(if $(REPEAT),--repeat $(REPEAT)) $(if $(SCALE),--scale $(SCALE))
ARGS_replay = $(EVENTS)
ARGS_partitions = $(PARTITIONS_ARGS)
ARGS_sidecar = $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RECORDS),--records $(RECORDS))
ARGS_profile = $(if $(CASE),--case $(CASE)) $(if $(EVENTS),--events $(EVENTS))
NEEDS_PEERS = $(if $(filter drain profile,$(BENCH)),$(PEERS_VENV)/peers.installed)

bench: $(VENV)/dev.installed $(NEEDS_PEERS) ## measure (WHAT=drain smoke chain consumers archive replay ...)
	@$(if $(filter $(BENCHES),$(BENCH)),,echo "WHAT=$(WHAT) is none of: $(BENCHES)"; exit 1)
	@# What Python compiles at a first import is not what a drain writes.
	@$(BIN)/python -m compileall -q worker upcasters upcast_authoring
	$(BIN)/python -m benchmarks.$(BENCH) $(ARGS_$(BENCH))

docs: $(VENV)/docs.installed ## build the site of docs/ strictly, and serve it (PORT=8000, or DO=build)
	@$(BIN)/python -m website $(or $(DO),serve) $(if $(PORT),--port $(PORT))

tools: $(VENV)/deploy.installed $(VENV)/docs.installed $(CLIENTS_VENV)/clients.installed $(BIN)/actionlint ## what tests of deploy/, .github/, the site and clients need, or they skip

deploy-check: $(VENV)/deploy.installed $(BIN)/helm ## build, run and upgrade what is in deploy/ for real (20 minutes)
	$(BIN)/pytest -p no:randomly -v -rs tests/deploy
	$(BIN)/pytest -p no:randomly -v -rs -o "python_files=check_*.py" tests/deploy
	@$(MAKE) --no-print-directory dist
	@$(MAKE) --no-print-directory bench WHAT=sidecar

archive-check: $(SPARK_VENV)/spark.installed ## a chain on Spark with two executors, some of which die (15 minutes; Java)
	$(BIN)/pytest -p no:randomly -v -rs --timeout 1200 -o "python_files=check_*.py" tests/archives

dist: $(VENV)/release.installed ## the packages and their SBOM; each wheel is tried in an empty environment
	@rm -rf dist build/bdist* build/image build/lib build/release engine/build
	$(BIN)/python -m build --no-isolation --outdir dist engine
	$(BIN)/python -m build --no-isolation --outdir dist
	@if command -v cargo >/dev/null; then $(MAKE) --no-print-directory wheels; \
	else echo "cargo is missing: the packages are without the native extension"; fi
	@$(PYTHON) -m venv --clear --without-pip build/image
	@$(PIP_INSTALL) --prefix $(CURDIR)/build/image --ignore-installed --require-hashes --no-deps -r requirements/runtime.txt
	@$(PIP_INSTALL) --prefix $(CURDIR)/build/image --ignore-installed --no-index --no-deps dist/*.whl
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-format JSON --output-file dist/upcast-worker.cdx.json build/image/bin/python
	@$(BIN)/python native/crates.py --sbom dist/upcast-worker.cdx.json
	@echo "installing the wheels into an empty environment"
	@$(PYTHON) -m venv --clear build/release && build/release/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements/demo.txt
	@build/release/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps dist/*.whl
	@build/release/bin/python -m pip check
	cd build/release && bin/upcast --version && bin/upcast demo --events 2000

# The native extension's, for this machine's processor and for the oldest C library that it runs with: the tag says which.
# A part of `dist`, and not listed, for want of a line.
wheels: $(VENV)/release.installed $(VENV)/native.installed
	@command -v cargo >/dev/null || { echo "cargo is missing, which builds the native extension"; exit 1; }
	@test -f $(NATIVE_BUILD)/wheel/*.whl || { rm $(VENV)/native.installed; $(MAKE) --no-print-directory $(VENV)/native.installed; }
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/auditwheel repair --wheel-dir dist $(NATIVE_BUILD)/wheel/*.whl

$(VENV)/release.installed: requirements/release.txt $(VENV)/dev.installed
	@$(PIP_INSTALL) --require-hashes -r requirements/release.txt
	@touch $@

generate: $(VENV)/deploy.installed ## write again what is made of the code: tables in docs/, dashboard, rules
	@$(BIN)/python -m tests.docs.tables
	@$(BIN)/python -m tests.docs.operations
	@$(BIN)/python deploy/grafana/dashboard.py > build.upcast.json && mv build.upcast.json deploy/grafana/upcast.json
	@$(BIN)/python -m tests.deploy.prometheusrule

$(VENV)/deploy.installed: requirements/deploy.txt $(VENV)/dev.installed
	@echo "installing the tools that check what is in deploy/ and .github/ into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements/deploy.txt
	@touch $@

# Its hashes are in go.sum. Where Go is missing, its test skips and says so.
$(BIN)/actionlint: requirements/actionlint/go.mod requirements/actionlint/go.sum | $(BIN)/python
	@if command -v go >/dev/null; then \
		cd requirements/actionlint && GOBIN=$(CURDIR)/$(BIN) go install github.com/rhysd/actionlint/cmd/actionlint; \
	else echo "Go is missing, which builds actionlint: the workflows will not be checked"; fi

$(BIN)/helm: requirements/helm/go.mod requirements/helm/go.sum | $(BIN)/python
	@if command -v go >/dev/null; then echo "building Helm (minutes)"; \
		cd requirements/helm && GOBIN=$(CURDIR)/$(BIN) go install helm.sh/helm/v3/cmd/helm; \
	else echo "Go is missing, which builds Helm: the chart will not be checked"; fi

$(VENV)/docs.installed: requirements/docs.txt website/mermaid.py $(VENV)/dev.installed
	@echo "installing what builds the site into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements/docs.txt
	@$(BIN)/python -m website.mermaid
	@touch $@

$(VENV)/demo.installed: requirements/demo.txt pyproject.toml $(ENGINE) | $(BIN)/python
	@echo "installing the worker into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements/demo.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e ./engine -e .
	@touch $@

$(PEERS_VENV)/peers.installed: requirements/peers.txt benchmarks/peers/KafkaStreams.java | $(VENV)/dev.installed
	@echo "installing what the worker is measured against into $(PEERS_VENV)"
	@test -x $(PEERS_VENV)/bin/python || $(BIN)/python -m venv $(PEERS_VENV)
	@$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt
	@$(BIN)/python -m benchmarks.drain.peers
	@touch $@

$(CLIENTS_VENV)/clients.installed: requirements/clients.txt | $(VENV)/dev.installed
	@echo "installing the clients that upcasters.consumers is tested with into $(CLIENTS_VENV)"
	@test -x $(CLIENTS_VENV)/bin/python || $(BIN)/python -m venv $(CLIENTS_VENV)
	@$(CLIENTS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/clients.txt
	@touch $@

# Without Java there is no use for it: the tests skip, and say so.
$(SPARK_VENV)/spark.installed: requirements/spark-build.txt requirements/spark.txt | $(VENV)/dev.installed
	@if ! command -v java >/dev/null; then exit 0; fi; \
	echo "installing Spark into $(SPARK_VENV) (minutes)"; \
	test -x $(SPARK_VENV)/bin/python || $(BIN)/python -m venv $(SPARK_VENV); \
	pip="$(SPARK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes"; \
	$$pip -r requirements/spark-build.txt && $$pip --no-build-isolation -r requirements/spark.txt && touch $@

$(BIN)/python:
	@$(if $(strip $(PYTHON)),,echo "No Python 3.11 to 3.14 found. Install one, or name it: make PYTHON=/path/to/python3"; exit 1)
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "$(PYTHON) is not a Python 3.11 to 3.14. Name another: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) could not make $(VENV). On Debian and Ubuntu the package python3-venv is missing."; exit 1; }

# Every version of Python and every platform in one file: markers where they differ, hashes of all artefacts.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-package upcast-engine \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

requirements: $(VENV)/dev.installed ## pin the requirements again (UPGRADE=--upgrade takes newer versions)
	@$(PIP_INSTALL) --require-hashes -r requirements/lock.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra demo --group build --group dev -o requirements/dev.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra demo --group build --constraint requirements/dev.txt -o requirements/demo.txt
	@# The compiler of Protobuf asks for two more, 26 MB, and imports neither.
	@$(COMPILE) $(UPGRADE) --no-emit-package grpcio --no-emit-package setuptools pyproject.toml --extra avro --extra postgresql --extra protobuf --extra registry --extra tracing --group image --constraint requirements/dev.txt -o requirements/runtime.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:build --constraint requirements/dev.txt -o requirements/build.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:native --constraint requirements/dev.txt -o requirements/native.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:release --constraint requirements/dev.txt -o requirements/release.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:deploy --constraint requirements/dev.txt -o requirements/deploy.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:docs --constraint requirements/dev.txt -o requirements/docs.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:mutation --constraint requirements/dev.txt -o requirements/mutation.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:peers -o requirements/peers.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:clients -o requirements/clients.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:spark-build -o requirements/spark-build.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:spark --constraint requirements/dev.txt -o requirements/spark.txt
	@$(COMPILE) $(UPGRADE) --group pyproject.toml:lock -o requirements/lock.txt

clean: ## remove .venv and everything else that git ignores
	rm -rf $(VENV) $(PEERS_VENV) $(CLIENTS_VENV) $(SPARK_VENV) build engine/build dist *.egg-info .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
