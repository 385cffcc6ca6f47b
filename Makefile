# Obligor. A fresh machine needs Python 3.11 to 3.14 with venv and pip, make, and a package index to install from.
#
#   make run [BOOK=file] [MAP=name] [FOR=seconds] [PORT=n] [DATA=dir]   start the system
#   make test, make test-all    the tests; test-all adds those marked slow
#   make check                  lint, format, types, floors, links
#   make story S=book BOOK=file MAP=name [LIMIT=n] [OUT=dir] [KEEP=1]   play a lender's own book and report on it
#   make story S=world [PEOPLE=n] [MONTHS=n] [SEED=n] [OUT=dir] [KEEP=1]   the same with the simulated lender
#   make bench B=name           one benchmark against its named peer
#   make bench-all              every benchmark, and docs/benchmarks.md made from what they print
#   make lock [UPGRADE=1]       recompile requirements/*.txt
#   make clean                  remove everything built here, but not ./var

PYTHON ?= python3
DATA ?= ./var

# Without bytecode every start would compile a hundred files again.
unexport PYTHONDONTWRITEBYTECODE
MAKEFLAGS += --no-print-directory --no-builtin-rules
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
OK := $(VENV)/.ok
UV := $(BIN)/uv
# Locks come from the public index alone, whatever this machine is configured to use.
LOCK := env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
  -u UV_CONSTRAINT -u UV_OVERRIDE -u UV_EXCLUDE_NEWER \
  $(UV) --no-config pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-header \
  $(if $(UPGRADE),--upgrade)

.PHONY: help setup setup-test assets chromium run test test-all check bench bench-all story lock clean FORCE
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

# ---- Set-up. Every step leaves a stamp, so that nothing is done twice; all it says goes to stderr.

setup: $(OK)-run $(OK)-editable

setup-test: $(OK)-test $(OK)-editable

# A checkout that was moved or copied carries an environment that points elsewhere: make it anew.
ifneq ($(shell cat $(OK)-venv 2>/dev/null),$(CURDIR))
$(OK)-venv: FORCE
endif
$(OK)-venv:
	@sh tools/python.sh "$(PYTHON)" tools/venv.py $(VENV) >&2
	@pwd -P > $@

$(OK)-uv: requirements/uv.txt $(OK)-venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< >&2
	@touch $@

$(OK)-run: requirements/run.txt $(OK)-uv
	@sh tools/install.sh $(VENV) $< >&2
	@touch $@

$(OK)-test: requirements/test.txt $(OK)-run
	@sh tools/install.sh $(VENV) $< >&2
	@touch $@

$(OK)-bench: requirements/bench.txt $(OK)-run
	@sh tools/install.sh $(VENV) $< >&2
	@touch $@

# One peer of `make bench B=features` lives apart; see pyproject.toml.
$(OK)-feast: requirements/feast.txt $(OK)-uv
	@$(BIN)/python tools/venv.py $(VENV)-feast >&2
	@$(UV) pip install --quiet --system-certs --python $(VENV)-feast/bin/python --require-hashes -r $< >&2
	@touch $@

$(OK)-editable: pyproject.toml $(OK)-run
	@$(UV) pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable . >&2
	@touch $@

# The console works without its scripts, so a failure here is a warning and not a stop.
assets: $(OK)-run
	@$(BIN)/python tools/assets.py >&2

chromium:
	@sh tools/chromium >&2

# ---- Use

run: setup assets
	@exec $(BIN)/obligor run --data '$(DATA)' $(if $(BOOK),--book '$(BOOK)') $(if $(MAP),--map '$(MAP)') \
	  $(if $(FOR),--for-seconds '$(FOR)') $(if $(PORT),--port '$(PORT)')

test: setup-test assets chromium
	@exec $(BIN)/pytest -n 2 --dist loadfile -q -m 'not slow'

test-all: setup-test assets chromium
	@exec $(BIN)/pytest -n 2 --dist loadfile -q

check: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_docs.py

bench:
	@if [ -z "$(B)" ] || [ ! -f "bench/$(B).py" ]; then \
	  echo "$(if $(B),There is no benchmark '$(B)'.,Name a benchmark: make bench B=name.)" \
	    "There are:" $$(ls bench 2>/dev/null | sed -n 's/^\([a-z][a-z0-9_]*\)\.py$$/\1/p' | grep . || echo none yet) >&2; \
	  exit 2; \
	fi
	@$(MAKE) $(OK)-bench $(OK)-editable $(if $(filter features,$(B)),$(OK)-feast) >&2
	@exec $(BIN)/python -m bench.$(B)

bench-all:
	@$(MAKE) $(OK)-bench $(OK)-editable $(OK)-feast >&2
	@exec $(BIN)/python tools/bench_all.py

story:
	@case "$(S)" in \
	  book) [ -n "$(BOOK)" ] && [ -n "$(MAP)" ] || { echo "make story S=book wants BOOK=file and MAP=name." >&2; exit 2; } ;; \
	  world) ;; \
	  *) echo "Name a story: make story S=book BOOK=file MAP=name, or make story S=world." >&2; exit 2 ;; \
	esac
	@$(MAKE) setup >&2
	@exec $(BIN)/obligor story $(S) $(if $(filter book,$(S)),--data '$(BOOK)' --mapping '$(MAP)') \
	  $(if $(LIMIT),--limit '$(LIMIT)') $(if $(PEOPLE),--people '$(PEOPLE)') $(if $(MONTHS),--months '$(MONTHS)') \
	  $(if $(SEED),--seed '$(SEED)') $(if $(OUT),--out '$(OUT)') $(if $(KEEP),--keep)

# ---- Upkeep

# Each lock takes its versions from the one before it, so that no package is ever held at two versions.
lock: $(OK)-uv
	echo uv | $(LOCK) - --no-annotate -o requirements/uv.txt
	$(LOCK) pyproject.toml --group build -o requirements/run.txt
	$(LOCK) pyproject.toml --extra postgres --extra otel --group build --group test -c requirements/run.txt -o requirements/test.txt
	$(LOCK) pyproject.toml --extra postgres --group build --group bench -c requirements/test.txt -o requirements/bench.txt
	$(LOCK) --group feast -o requirements/feast.txt

clean:
	rm -rf $(VENV) $(VENV)-feast node_modules src/obligor/web/static/vendor build dist \
	  .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests tools $(wildcard bench) -name __pycache__ -type d -prune -exec rm -rf {} +
