PYTHON ?= python3
VENV := .venv
NODES := 1000000
SEEDS := 1000

RUN := $(VENV)/bin/python -m
ROOMS := $(wildcard core sim transports plugins)
# Inside the environment and written last: an interrupted installation has none, and starts afresh.
STAMP := $(VENV)/.complete
LAB := $(VENV)/.notebooks
WHEELS := $(VENV)/.wheels
# core/ and sim/ once more, with their hot modules compiled. All else is found beside the sources.
COMPILED := $(VENV)/compiled
RUN_COMPILED := PYTHONSAFEPATH=1 PYTHONPATH='$(CURDIR)/$(COMPILED)' $(RUN)

.DEFAULT_GOAL := help
.PHONY: help sim notebooks search test test-fast lint pictures bench bench-tcp bench-check \
	digests-check wheel test-all clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s%s\n", $$1, $$2}'
	@echo 'The environment is $(VENV), made with PYTHON=$(PYTHON) (3.11 or newer) when first needed.'

sim: $(COMPILED)/.complete  ## simulate a million nodes (fewer: make sim NODES=1000)
	$(RUN_COMPILED) sim --nodes $(NODES)

notebooks: $(LAB)  ## open the notebooks in JupyterLab, which prints its address
	$(RUN) jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir=notebooks

test: lint  ## all checks and the whole test suite, on two cores
	$(RUN) pytest -q -n 2 --dist worksteal

test-fast: $(STAMP)  ## the most telling tests, on two cores
	$(RUN) pytest -q -n 2 --dist worksteal tests/test_rooms.py tests/core tests/sessions \
		tests/sim/test_world.py tests/sim/test_teams.py tests/sim/test_failing_jobs.py \
		tests/sim/links/test_replicas.py tests/sim/search/test_seeds.py \
		tests/conformance/test_same.py tests/conformance/test_recovery.py

lint: $(STAMP)  ## ruff and mypy only
	$(RUN) ruff check $(ROOMS) setup.py tests notebooks docs README.md
	$(RUN) ruff format --check $(ROOMS) setup.py tests notebooks docs README.md
	$(RUN) mypy $(ROOMS)

pictures: $(STAMP)  ## draw the pictures in ARCHITECTURE.md anew, from the code
	$(RUN) tests.pictures

search: $(STAMP)  ## look for failures in a thousand drawn worlds (more: make search SEEDS=10000)
	$(RUN) sim.search --seeds $(SEEDS)

bench: $(COMPILED)/.complete  ## the measured figures
	$(RUN_COMPILED) tests.benchmarks

bench-tcp: $(STAMP)  ## those of the TCP transport (peers are measured where they are installed)
	$(RUN) tests.benchmarks.tcp

bench-check: $(STAMP)  ## small ones, beside the ratios that are kept: has anything become slower?
	$(RUN) tests.benchmarks.check

digests-check: $(COMPILED)/.complete  ## is what is compiled the same? A thousand drawn worlds, run both ways
	$(RUN) tests.benchmarks.digests --seeds $(SEEDS) $(COMPILED)

wheel: $(WHEELS)  ## build a compiled wheel, try it in an environment of its own, and put it into dist/
	rm -rf build
	MILLION_NODES_COMPILE=1 $(RUN) pip wheel --quiet --no-deps --wheel-dir build/built .
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" auditwheel repair --wheel-dir build/wheel build/built/*.whl
	$(PYTHON) -m venv build/tried
	build/tried/bin/pip install --quiet build/wheel/*.whl
	cd build/tried && bin/python -m sim --nodes 1000 --json | grep '"compiled":true'
	mkdir -p dist
	cp build/wheel/*.whl dist

test-all:  ## make test with each of Python 3.11, 3.12 and 3.13 that is installed
	@set -e; found=; for version in 3.11 3.12 3.13; do \
		if python$$version -c '' 2>/dev/null; then \
			found="$$found $$version"; \
			$(MAKE) test PYTHON=python$$version VENV=.venv-$$version; \
		else echo "python$$version is not to be found: skipped"; fi; \
	done; echo "tested with:$${found:- nothing}"; test -n "$$found"

clean:  ## remove the environments and everything generated
	rm -f .venv*/.complete
	rm -rf .venv .venv-3.* *.egg-info build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(STAMP): pyproject.toml
	$(if $(shell $(PYTHON) -c 'import sys; print("ok" * (sys.version_info >= (3, 11)))' 2>/dev/null),,\
		$(error '$(PYTHON)' is not Python 3.11 or newer; name one that is: make PYTHON=python3.12))
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --editable '.[dev]'
	touch $@

$(LAB): $(STAMP)
	$(RUN) pip install --quiet --editable '.[notebooks]'
	touch $@

$(WHEELS): $(STAMP)
	$(RUN) pip install --quiet --editable '.[wheels]'
	touch $@

# Where it cannot be compiled there is no such file, and the sources are run: the next time it is tried again.
$(COMPILED)/.complete: $(STAMP) setup.py mypyc.ini $(shell find core sim -name '*.py')
	@rm -rf build $(COMPILED)
	@echo 'core/ and sim/ are compiled into $(COMPILED), which takes half a minute'
	@if MILLION_NODES_COMPILE=1 $(RUN) pip install --quiet --no-deps --no-build-isolation \
		--target $(COMPILED) . >$(COMPILED).log 2>&1; \
	then rm -rf $(COMPILED)/plugins $(COMPILED)/transports && touch $@; \
	else rm -rf $(COMPILED); echo 'it cannot be done, see $(COMPILED).log: the sources are run as they are written'; \
	fi
