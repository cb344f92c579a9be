# Needs bash and Go; "make test" installs the rest with apt-get (as root or by sudo) and npm.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run build test e2e check vuln bench fuzz soak clean setup

GO ?= go
DURATION ?= 10m

# Folders of packages as patterns for the Go tool, leaving out those that do not
# exist (yet).
packages = $(patsubst %,./%/...,$(wildcard $(1)))
TOOL = $(GO) tool -modfile=tools/go.mod

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## start Twinlatch for development on http://localhost:8080; data stay in var/
	bin/twinlatch serve --dev

build: ## build bin/twinlatch
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/twinlatch ./cmd/twinlatch

# The detector looks at Go. SQLite, translated from C, and the arithmetic of argon2 take
# most of the time otherwise. Only packages without generic code can be left out: of a
# generic function the linker takes any package's copy, for all.
RACE = -race '-gcflags=modernc.org/...=-d=checkptr=0' '-gcflags=modernc.org/sqlite/lib=-race=false -d=checkptr=0' \
	'-gcflags=golang.org/x/crypto/argon2=-race=false'

# The race detector first, where goroutines share something; then everything, so
# that the last lines are those of all tests.
test: setup ## install what the tests need and run all of them
	$(GO) test $(RACE) -timeout 20m . $(call packages,argon2child sqlstore keyring web pages server sender method/yubico interop forwardauth)
	$(GO) test -timeout 40m ./...

e2e: setup ## only walk the journeys in a real browser
	$(GO) test -count=1 -timeout 40m ./e2e

check: ## gofmt, vet, staticcheck, import rules
	@bad=$$(gofmt -l $$($(GO) list -f '{{.Dir}}/*.go' ./...)); test -z "$$bad" || { echo "not formatted by gofmt:"; echo "$$bad"; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) test -count=1 -run '^(TestImports|TestRootDependsOnLittle|TestPackageNamesSaySomething|TestSource)$$' .

vuln: ## known vulnerabilities of what is linked; asks the Go project's database
	$(TOOL) govulncheck ./...

bench: ## run the benchmarks; results go to bench/results/ as well
	@mkdir -p bench/results
	$(GO) test -run '^$$' -bench . -benchmem $(call packages,bench sqlstore method) | tee bench/results/$$(date -u +%Y-%m-%dT%H%M%SZ).txt

fuzz: ## run each fuzz target for its share of DURATION (10m)
	@GO=$(GO) .ci/long fuzz $(DURATION)

soak: ## repeat the randomized and concurrent tests for DURATION (10m)
	@GO=$(GO) .ci/long soak $(DURATION)

clean: ## remove what was built and measured; data in var/ stay
	rm -rf bin bench/results e2e/artefacts e2e/node_modules

setup:
	@.ci/setup
