# make         set everything up and run the study of params.yaml
# make test    set everything up and run every test
# make check   the quick tests, ruff, mypy, the import contract, snakefmt
# make deps    write into dvc.yaml the code that each stage imports
# make docs    build the documents into site/; a warning is an error
# make lock    resolve requirements/*.txt anew from pyproject.toml
# make clean   remove what can be made again, the completion store and DVC's cache apart

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STUDY_CORES ?= all

# vLLM's CPU build exists for Linux on x86-64; elsewhere the transformers engine takes over.
PLATFORM := $(shell uname -s)-$(shell uname -m)
ifeq ($(PLATFORM),Linux-x86_64)
REQUIREMENTS := requirements/cpu.txt
else
REQUIREMENTS := requirements/transformers.txt
endif

# uv reads other names than pip for the same settings of this machine.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export SSL_CERT_FILE ?= $(PIP_CERT)
export UV_HTTP_TIMEOUT ?= 300
export UV_COMPILE_BYTECODE := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VLLM_NO_USAGE_STATS := 1
export DO_NOT_TRACK := 1

.PHONY: all setup test check docs deps lock clean

all: setup
	snakemake --cores $(STUDY_CORES)

setup: $(VENV)/.installed

# The torch of vLLM's CPU build lies in PyTorch's own index. Where the local wheel folder has it
# that index is not asked, so that a machine without a way to it can be set up too.
# Bytecode is compiled here, once: where Python may not write it (PYTHONDONTWRITEBYTECODE), every
# process would compile what it imports anew, 17 s for vLLM alone.
$(VENV)/.installed: $(REQUIREMENTS) pyproject.toml
ifneq ($(PLATFORM),Linux-x86_64)
	@echo "vLLM has no CPU wheel for $(PLATFORM): the study runs with the transformers engine"
endif
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python $(REQUIREMENTS) \
	  || $(BIN)/uv pip sync --python $(BIN)/python $(REQUIREMENTS) \
	    --index https://download.pytorch.org/whl/cpu --index-strategy unsafe-best-match
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

# Two at a time, each with one thread: a model of this size gains little from a second one. The
# workflow's tools wait for each other, so three at a time.
test: setup
	OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind \
	  pytest --numprocesses=2 --dist=loadfile --ignore=tests/workflow
	pytest --numprocesses=3 --dist=worksteal tests/workflow

check: setup
	ruff check .
	ruff format --check .
	mypy --strict src
	lint-imports --no-cache
	python -m userturn.workflow.dependencies
	snakefmt --check Snakefile
	OMP_NUM_THREADS=1 pytest --numprocesses=2 --dist=loadfile -m "not slow"

docs: setup
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

deps: setup
	python -m userturn.workflow.dependencies --fix

lock: setup
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header \
	  --extra cpu --extra train --extra inspect --extra docs --extra dev --override requirements/override.txt \
	  requirements/tools.in pyproject.toml -o requirements/cpu.txt
	UV_FIND_LINKS= $(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --universal \
	  --extra train --extra inspect --extra docs --extra dev --override requirements/override.txt \
	  requirements/tools.in requirements/transformers.in pyproject.toml \
	  -o requirements/transformers.txt

clean:
	rm -rf $(VENV) .snakemake .mypy_cache .pytest_cache .ruff_cache .hypothesis logs site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
