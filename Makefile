.PHONY: build test race lint fmt fuzz clean

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

clean:
	rm -rf bin
