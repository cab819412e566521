.PHONY: build test race lint fmt fuzz bench bench-check clean

GO ?= go
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

build: ## build bin/coordinator and bin/worker
	$(GO) build -o bin/ ./cmd/...

test: ## every test that can run here; says what it had to skip. GODAGS_TEST_STRICT=1 turns a skip into a failure
	@./scripts/test.sh

race: ## the same under the race detector
	@./scripts/test.sh -race

lint: ## gofmt, vet, staticcheck
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

fmt:
	gofmt -w .

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME
	@./scripts/fuzz.sh $(FUZZTIME)

bench: ## measure, beside what else is installed; docs/benchmarks.md says more. BENCH_FLAGS='-n 1 -peers 0' for a short look
	$(GO) build -C bench -o ../bin/bench .
	./bin/bench $(BENCH_FLAGS)

bench-check: ## build, vet and test the benchmarks without running them
	$(GO) vet -C bench ./...
	$(GO) test -C bench ./...

clean:
	rm -rf bin
