# Every target first sets up what it needs in $(VENV); see scripts/setup_env.py.
PYTHON ?= python3
VENV ?= .venv
PY = $(VENV)/bin/python
PYTEST = $(PY) -m pytest
# More for pytest or the benchmarks: make test ARGS="-k isa -x"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help env demo test test-all check csim bench gen build fuzz armhf docs clean

help:            ## show this
	@sed -n 's/^\([a-z-]*\): *[a-z ]*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

env:             ## set up the virtual environment and build the C extensions where needed
	@$(PYTHON) scripts/setup_env.py --venv $(VENV)

build:           ## build the C extensions in place, whether or not they seem current
	@$(PYTHON) scripts/setup_env.py --venv $(VENV) --rebuild

test: env        ## the tests that run anywhere, without the slow ones
	$(PYTEST) -m "not slow and not board" $(ARGS)

test-all: env    ## every test that needs no board, then the fuzzers
	$(PY) scripts/fetch_pynq_sdist.py
	$(PYTEST) -m "not board" $(ARGS)
	$(PY) scripts/fuzz.py

check: env       ## format, lint, types, generated files, import directions
	$(PY) scripts/check.py

gen: env         ## write the generated files anew
	$(PY) scripts/gen.py

fuzz: env        ## the C code under address and undefined-behaviour sanitizers
	$(PY) scripts/fuzz.py $(ARGS)
	$(PY) -m tests.fuzz

csim: env        ## compile the HLS design for the csim engine (ARGS: names of configurations)
	$(PY) -m vta_pynq.sim.csim_build $(ARGS)

docs: env        ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

bench: env       ## measure, and print one table
	$(PY) -m bench $(ARGS)

armhf: env       ## the package on the board's processor architecture, under qemu (needs root)
	$(PY) scripts/armhf.py $(ARGS)

demo: env        ## compile a network and run it on the simulated board
	$(PY) examples/demo.py $(ARGS)

clean:           ## remove what was built, and the environment
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find vta_pynq host_compiler tests bench scripts -name __pycache__ -prune -exec rm -rf {} +
	find vta_pynq -name '*.so' -delete
