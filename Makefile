# Verbs over CMakePresets.json. `make help` lists them.

PREFIX ?= /usr/local

.DEFAULT_GOAL := all
.PHONY: all deps build demo up test check asan tsan valgrind shake coverage fuzz \
  release bench fmt docs install clean help

all: test ## build and test (the default)

deps: ## install the packages that are missing, if any
	@tools/deps build test

build: deps ## build/dev/luvisor
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev

demo: build ## see it work
	@build/dev/luvisor scripts/demo.lua

up: build ## run the services of etc/luvisor.lua, until ^C
	@echo "state and logs are in build/up, ^C stops all; in another terminal:"
	@echo "  build/dev/luvisor status -c etc/luvisor.lua"
	@build/dev/luvisor up -c etc/luvisor.lua

test: build ## run the tests
	@ctest --preset dev

check: build ## what must pass before a change is sent: style, lint, tests, asan
	@tools/deps check
	tools/fmt --check
	tools/lint build/dev
	tools/floors
	tools/docs --check
	ctest --preset dev
	cmake --workflow --preset asan

asan tsan release: deps ## build and test with this preset
	cmake --workflow --preset $@

shake: build ## run the tests on a machine that is slow now and then
	tools/shake

valgrind: deps ## run the tests under valgrind
	@tools/deps check
	cmake --workflow --preset valgrind

coverage: deps ## run the tests and count the lines they reach
	find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	cmake --workflow --preset coverage
	tools/coverage build/coverage

fuzz: deps ## feed T (words, lines, options, signame) what nobody thought of
	@tools/deps test
	tools/fuzz build/dev/fuzz $(T)

build/release/luvisor: deps
	cmake --preset release
	cmake --build --preset release

bench: build/release/luvisor ## measure, beside C and the peers that are installed
	bench/run --peers

fmt: ## format the C files
	@tools/deps check
	tools/fmt

docs: ## write docs/reference from the comments
	tools/docs

install: build/release/luvisor ## into PREFIX (/usr/local), below DESTDIR if set
	cmake --build --preset release --target completions
	cmake --install build/release --prefix $(PREFIX)

clean: ## forget all builds
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z ]*\):.*## \(.*\)/\1|\2/p' Makefile \
	  | awk -F'|' '{ printf "make %-18s %s\n", $$1, $$2 }'
