# make test is the whole suite against real parts; see test/setup for what it brings. The rest are pieces of it.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Without gRPC's tracing pages the linker can leave out the methods that nobody calls: a third of the binary. The other tag leaves out xDS, which
# only Cloud Storage's gRPC client needs: docs/dependencies.md.
TAGS := grpcnotrace,disable_grpc_modules
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 1m
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: build test race fuzz lint vuln bench setup

build: ## bin/recsysd: static, stripped
	CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/recsysd ./cmd/recsysd

setup: ## what the tests need: Debian's packages, the Kubernetes control plane
	./test/setup

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

bench: setup
	go test -run '^$$' -bench . -benchmem -timeout 30m ./...
