# make test is the whole suite against real parts; see test/setup for what it brings. The rest are pieces of it.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Without gRPC's tracing pages the linker can leave out the methods that nobody calls: a third of the binary. The other tag leaves out xDS, which
# only Cloud Storage's gRPC client needs: docs/dependencies.md.
TAGS := grpcnotrace,disable_grpc_modules
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 1m
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: build sizes test race fuzz lint vuln bench bench-long bench-guard bench-baseline setup

build: ## bin/recsysd: static, stripped
	CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/recsysd ./cmd/recsysd

setup: ## what the tests need: Debian's packages, the Kubernetes control plane
	./test/setup

sizes: ## what each module adds to the stripped binary
	@./test/sizes '$(TAGS)' '$(LDFLAGS)'

test: setup
	go test -timeout 40m ./...

race: setup ## the rooms' tests under the race detector; test/ starts programs, which it does not reach
	go test -race -timeout 40m ./cmd/... ./examples/... ./internal/...

fuzz: ## every fuzz target, each for FUZZTIME
	./test/fuzz $(FUZZTIME)

lint:
	@test -z "$$(gofmt -l cmd deploy examples internal test)" || { gofmt -l cmd deploy examples internal test; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

vuln: ## known vulnerabilities that the program reaches; needs the vulnerability database
	go run $(GOVULNCHECK) ./...

# What takes many minutes by itself is measured apart.
LONG := ^Benchmark(Idle|TenThousandPasses)$$
bench: setup ## every figure of docs/performance.md but those of bench-long, with the conditions in front
	@./test/bench/conditions
	go test -run '^$$' -bench . -benchmem ./cmd/... ./internal/...
	go test -run '^$$' -bench . -skip '$(LONG)' -timeout 40m ./test/e2e

bench-long: setup ## ten minutes in which nothing changes, then 10,000 passes: half an hour
	@./test/bench/conditions
	go test -run '^$$' -bench '^BenchmarkIdle$$' -benchtime 10x -timeout 20m ./test/e2e
	go test -run '^$$' -bench '^BenchmarkTenThousandPasses$$' -benchtime 1x -timeout 40m ./test/e2e

# What is held against the stored run, as ratios to floors of the same run.
GUARDED := ^BenchmarkMake$$|^BenchmarkUnchanged$$/^whole$$/^1000$$
GUARDED_E2E := ^BenchmarkCloudReads$$/^prompt$$|^BenchmarkUnchangedAtScale$$/^1000$$|^BenchmarkRepair$$/^example$$|^BenchmarkFirstApply$$/^1000$$
COUNT := 4
guarded = @mkdir -p bin && ./test/bench/conditions >bin/$(1) && { \
	go test -run '^$$' -bench '^BenchmarkManifests$$' -count $(COUNT) -benchtime 15x ./internal/desired && \
	go test -run '^$$' -bench '$(GUARDED)' -count $(COUNT) ./internal/plan ./internal/reconcile && \
	go test -run '^$$' -bench '$(GUARDED_E2E)' -count $(COUNT) -benchtime 3s -timeout 15m ./test/e2e; } >>bin/$(1) || { cat bin/$(1); exit 1; }

bench-guard: setup ## fails if a ratio has become worse than the stored one by more than noise and a quarter
	$(call guarded,now.txt)
	go run ./test/bench test/bench/baseline.txt bin/now.txt

bench-baseline: setup ## stores what bench-guard compares with: two runs, since two differ more than the samples of one
	$(call guarded,first.txt)
	$(call guarded,second.txt)
	cat bin/first.txt bin/second.txt >test/bench/baseline.txt
