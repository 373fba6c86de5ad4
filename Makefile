# SPDX-License-Identifier: Apache-2.0
# Every command of the project. `make` or `make help` lists them; CMake presets do the building.
.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS ?= $(shell nproc)
PRESET ?= release
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
CXX_FILES = $(shell git ls-files --cached --others --exclude-standard '*.h' '*.cc')

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## install the Debian packages that are missing (root)
	@scripts/deps/install all

.PHONY: build
build: deps ## build everything (PRESET=release, dev, asan, tsan or fuzz)
	@cmake --preset $(PRESET) >build-$(PRESET).log 2>&1 || { cat build-$(PRESET).log; exit 1; }; rm -f build-$(PRESET).log
	@cmake --build --preset $(PRESET) -j $(JOBS)

.PHONY: demo
demo: ## a StreamJob on real Kubernetes, Kafka and S3, from nothing
	@scripts/demo up

.PHONY: demo-down
demo-down: ## take the demo away
	@scripts/demo down

.PHONY: test
test: ## everything CI checks
	@scripts/test

.PHONY: test-all
test-all: ## the same with the long runs
	@scripts/test --all

.PHONY: check
check: ## fast checks before a commit: format, tidy, unit and data tests
	@scripts/test --only fmt,tidy,unit,chart

.PHONY: e2e
e2e: ## scenarios on real components only (ARGS='-k name' goes to pytest)
	@scripts/test --only e2e -- $(ARGS)

.PHONY: mutants
mutants: ## break the product on purpose: the scenarios must notice (slow)
	@e2e/mutants/run $(ARGS)

.PHONY: bench
bench: ## measure, with the peers beside us; results in docs/benchmarks
	@e2e/perf/bench $(ARGS)

.PHONY: bench-control
bench-control: ## measure the control plane: operator at scale, pauses of a job (root)
	@e2e/perf/control $(ARGS)

.PHONY: fmt
fmt: ## format the C++ sources
	@clang-format-14 -i $(CXX_FILES)

.PHONY: lint
lint: ## clang-tidy over the sources (slow)
	@cmake --preset dev >/dev/null
	@git ls-files '*.cc' | grep -v _fuzz.cc | xargs -P $(JOBS) -n 4 clang-tidy-14 -p build/dev --quiet

.PHONY: tidy
tidy: ## include table, budgets, links, banned words
	@scripts/tidy

.PHONY: model
model: ## check the protocol's models and their mutations (ARGS=--all: wider bounds)
	@scripts/model $(ARGS)

.PHONY: test-rewrite
test-rewrite: ## rewrite the expectations of data tests; review the diff as code
	@SJ_TEST_REWRITE=1 scripts/test --only unit

.PHONY: clean
clean: ## remove what was built here (caches stay)
	@rm -rf build
