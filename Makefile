# What a newcomer, a developer and CI type. Each target sets itself up in .venv from a bare Python >= 3.11 and make.
#
# pip refuses a hashed requirements file together with `-e .`, so the lock goes in first, build dependencies
# included, and the project after it without dependencies or build isolation. Each of the two steps leaves a stamp
# in .venv and is taken again only when the lock or pyproject.toml changed.

PYTHON ?= python3

BIN := .venv/bin
LOCKED := .venv/.locked
INSTALLED := .venv/.installed
RIVALS := .venv/.rivals
LOCK_TOOL := .venv/lock-tool/bin/uv

# Wheels only: no foreign build script runs, and what is installed is what was hashed.
PIP_INSTALL := -m pip install --quiet --quiet --disable-pip-version-check
PIP_INSTALL_LOCKED := $(PIP_INSTALL) --only-binary :all: --require-hashes

# Half of the tests' time is waiting for real servers: one worker more than there are cores. A file stays with one of them,
# for what its tests share is made once; tests/conftest.py puts the files that take longest first.
WORKERS := $(shell echo $$(( $$(nproc) + 1 )))
SPREAD := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

BENCHES := $(filter-out _%,$(notdir $(basename $(wildcard bench/*.py))))

.DEFAULT_GOAL := help
.PHONY: help demo test thorough faults soak flapping check bench lock clean python

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The trap lets the demo drain and report after Ctrl-C before make goes; 130 is Ctrl-C itself, no failure.
demo: $(INSTALLED) ## run the demo until Ctrl-C; FOR=20s ends it by itself; SPEED=, PORT= and DATA= are passed on
	@trap : INT; $(BIN)/reactorwatch demo $(if $(FOR),--for '$(FOR)') $(if $(SPEED),--speed '$(SPEED)') \
		$(if $(PORT),--port '$(PORT)') $(if $(DATA),--data '$(DATA)') || [ $$? -eq 130 ]

test: $(INSTALLED) ## run the tests; PYTEST_ARGS="-k journal" chooses some
	@$(BIN)/python -m pytest $(SPREAD) $(PYTEST_ARGS)

thorough: $(INSTALLED) ## the tests in full: a thousand examples of each property, every recipe in every vessel, all recorded batches
	@THOROUGH=yes $(BIN)/python -m pytest $(SPREAD) --timeout 3600 $(PYTEST_ARGS)

faults: $(INSTALLED) ## every fault many times, on real servers, in one table (half an hour); PYTEST_ARGS="-k kill" chooses some
	@FAULTS=long $(BIN)/python -m pytest tests/faults $(PYTEST_ARGS)

soak: $(INSTALLED) ## the whole daemon under random faults for an hour, then the proof; FOR=2min is shorter, SEED= repeats
	@$(BIN)/python -m tests.soak.record $(if $(FOR),--for '$(FOR)') $(if $(SEED),--seed '$(SEED)')

flapping: $(INSTALLED) ## twenty devices come and go at random for an hour, nothing may leak; FOR=10min is shorter, SEED= repeats
	@$(BIN)/python -m tests.soak.flapping $(if $(FOR),--for '$(FOR)') $(if $(SEED),--seed '$(SEED)')

check: $(INSTALLED) ## lint, formatting, types and import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED) $(RIVALS) ## run every bench/*.py, one JSON object per figure; BENCH_ARGS=--quick ends soon
	@[ -n "$(BENCHES)" ] || { echo "bench/ holds no bench" >&2; exit 1; }
	@for name in $(BENCHES); do \
		echo "python -m bench.$$name $(BENCH_ARGS)" >&2; $(BIN)/python -m bench.$$name $(BENCH_ARGS) || exit 1; \
	done

clean: ## remove .venv, caches and build products; recorded data stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): $(LOCKED) pyproject.toml
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(RIVALS): requirements/rivals.txt $(LOCKED)
	@$(BIN)/python $(PIP_INSTALL_LOCKED) --requirement $<
	@touch $@

$(LOCKED): requirements/development.txt | python
	@echo "Setting up .venv from $< (again only when that changes) ..." >&2
	@$(PYTHON) -m venv --clear .venv || { echo "no environment could be made; on Debian: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python $(PIP_INSTALL_LOCKED) --requirement $<
	@touch $@

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		found=$$($(PYTHON) --version 2>/dev/null || echo "not there"); \
		echo "Python >= 3.11 is needed, $(PYTHON) is $$found; name another: make PYTHON=python3.12 ..." >&2; exit 1; }

# --- requirement locks: valid for every platform and every Python from 3.11 on, one version of each package ---------

COMPILE := $(LOCK_TOOL) pip compile --quiet --system-certs --universal --python-version 3.11 --fork-strategy fewest --no-build \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

# What building takes: [build-system] of pyproject.toml, and what hatchling asks for to make an editable install.
BUILD_REQUIREMENTS := .venv/lock-tool/build.in
LIST_BUILD_REQUIREMENTS := import tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], "editables~=0.3", sep="\n")

lock: $(LOCK_TOOL) ## bring requirements/ in line with pyproject.toml; UPGRADE=1 takes the newest versions
	@$(PYTHON) -c '$(LIST_BUILD_REQUIREMENTS)' > $(BUILD_REQUIREMENTS)
	$(COMPILE) pyproject.toml $(BUILD_REQUIREMENTS) --extra dev --output-file requirements/development.txt
	$(COMPILE) pyproject.toml $(BUILD_REQUIREMENTS) --constraints requirements/development.txt --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra rivals --constraints requirements/development.txt --output-file requirements/rivals.txt
	@echo uv | $(COMPILE) - --output-file requirements/lock-tool.txt

$(LOCK_TOOL): requirements/lock-tool.txt | python
	@$(PYTHON) -m venv --clear .venv/lock-tool
	@.venv/lock-tool/bin/python $(PIP_INSTALL_LOCKED) --requirement $<
	@touch $@
