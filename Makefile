.PHONY: build install pictures quick test race soak hosts lint style fmt fuzz bench bench-check clean

GO ?= go
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

build: ## build bin/coordinator and bin/worker
	$(GO) build -o bin/ ./cmd/...

PREFIX ?= $(HOME)/.local
install: build ## install coordinator and worker in PREFIX/bin, and coordinator as godags too. PREFIX is ~/.local by default
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install bin/coordinator bin/worker "$(DESTDIR)$(PREFIX)/bin/"
	ln -sf coordinator "$(DESTDIR)$(PREFIX)/bin/godags"

pictures: build ## draw the terminal pictures of the documentation anew, from real runs
	$(GO) run ./scripts/pictures

# Left out: packages that start many processes, servers or pipelines, or parse very large files.
SLOW = /(bench|docs|e2e|examples|internal/faulttest|internal/pipefile|internal/redisx)(/|$$)|/godags$$
quick: ## the inner loop: -short tests of all packages but the slow ones, under a minute for a change of some packages
	@$(GO) list ./... | grep -vE '$(SLOW)' | xargs $(GO) test -short -timeout 3m

test: ## every test that can run here; says what it had to skip. GODAGS_TEST_STRICT=1 turns a skip into a failure
	@./scripts/test.sh

race: ## the same under the race detector
	@./scripts/test.sh -race

DURATION ?= 5m
soak: ## random runs under random faults for DURATION, and the faults that take long. SEED=n repeats the random choices
	PACKAGES=./e2e/faults GODAGS_SOAK=$(DURATION) GODAGS_TEST_SEED=$(SEED) ./scripts/test.sh -count 1 -timeout 0 -tags soak \
		-run 'TestSoak|TestRedisIsAwayForLong|TestWorkersAreReplacedDuringAHundredRuns|TestAsynqTakesBackTheTasksOfADeadWorker'
	PACKAGES=./internal/faulttest GODAGS_HUNT=2000 GODAGS_TEST_SEED=$(SEED) ./scripts/test.sh -count 1 -timeout 0 -run TestRunsUnderRandomPoliciesComeToTheirEnd
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) hosts; else echo "not root: make hosts is left out"; fi

hosts: ## faults of whole hosts: needs root, for network namespaces and a small file system
	PACKAGES=./e2e/faults ./scripts/test.sh -count 1 -tags hosts -run 'TestAHostIsCutOff|TestAFullDisk'

lint: ## gofmt, vet, staticcheck, and the style of comments, functions and phrases
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags soak,hosts ./e2e/faults
	$(GO) vet -C bench ./...
	$(STATICCHECK) -tags soak,hosts ./...
	$(GO) run ./scripts/style

style: ## comments, paragraphs and phrases; CONTRIBUTING.md has the rules
	$(GO) run ./scripts/style -stats

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
