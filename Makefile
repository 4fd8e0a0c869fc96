# make demo        install, run the main job on synthetic data, say where the report is
# make test        install for development, run the tests, JOBS at once
# make test-full   also the full-size checks, which take minutes
# make lint        style and types
# make types       types alone
# make bench       figures against other codes
# make docs        the documentation as pages, in build/site
# Everything is installed into the virtual environment $(VENV); nothing else is touched.

PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= dev
DEMO ?= runs/demo
JOBS ?= 2
BIN = $(VENV)/bin
NATIVE = $(wildcard kernels_c/*.h kernels_c/*/*.h kernels_c/*/[!_]*.c kernels_c/*/*.pyx) # not the _NAME.c that Cython writes
BUILT_FROM = pyproject.toml setup.py $(NATIVE)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.PHONY: demo test test-full lint types bench docs whole build clean

demo: $(DEMO)/report/index.html
	@echo "The report is $(abspath $(DEMO))/report/index.html"

$(DEMO)/report/index.html: $(DEMO)/data/tomo2d.toml | $(VENV)/installed
	@if [ -f $(DEMO)/run/provenance.json ]; then $(BIN)/vip resume $(DEMO)/run; \
	else $(BIN)/vip run $(DEMO)/data/tomo2d.toml --output $(DEMO)/run; fi
	$(BIN)/vip report $(DEMO)/run --output $(DEMO)/report

$(DEMO)/data/tomo2d.toml: | $(VENV)/installed
	$(BIN)/vip simulate tomo2d $(DEMO)/data

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not full and not alone"
	$(BIN)/python -m pytest -m "not full and alone"

test-full: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not alone"
	$(BIN)/python -m pytest -m alone

lint: $(VENV)/installed-dev types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev whole
	MYPYPATH=build/whole $(BIN)/mypy

bench: $(VENV)/installed-dev
	for script in benchmarks/*.py; do $(BIN)/python $$script; done

docs: $(VENV)/installed-docs whole
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The package as it is when installed, for programs that read sources and follow no editable installation.
whole:
	rm -rf build/whole && mkdir -p build/whole/vip
	ln -s $(CURDIR)/vip/* $(addprefix $(CURDIR)/,forward kernels_c jobs) build/whole/vip

build: $(VENV)/installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

# pip builds the native code each time, which takes minutes: once is enough for all that is wanted.
$(VENV)/installed: $(BUILT_FROM) | $(VENV)/bin/python
	$(INSTALL) .
	@touch $@

$(VENV)/installed-dev: $(BUILT_FROM) | $(VENV)/bin/python
	$(INSTALL) ".[$(EXTRAS)]"
	@touch $(VENV)/installed $@

$(VENV)/installed-docs: $(BUILT_FROM) | $(VENV)/bin/python
	$(INSTALL) ".[docs]"
	@touch $(VENV)/installed $@

clean:
	rm -rf build *.egg-info kernels_c/*/*.so kernels_c/*/_*.c
