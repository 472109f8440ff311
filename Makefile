# Everything a person does with this tree. `make` alone says what there is.

GO          ?= go
BIN         := bin/mooring
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS     := -s -w -X main.version=$(VERSION)
PACKAGES    ?= ./runner ./... # the longest first: it waits more than it works, beside the others
TIMEOUT     ?= 40m
FUZZTIME    ?= 10s

# Terraform, Git and Mooring of the tests never meet the person's own settings.
TESTENV := env -u KUBECONFIG -u MOORING_CONFIG -u TF_CLI_CONFIG_FILE -u TF_DATA_DIR -u TF_WORKSPACE -u TF_PLUGIN_CACHE_DIR

# Tests run the same Terraform everywhere: the one built from its module. It starts in two thirds of the time, since the
# backends are left out that are big (see e2e/parts/terraform.go).
BUILT := PATH="$$(dirname "$$($(GO) run ./e2e/parts/cmd built-terraform)"):$$PATH"

# What is measured is the person's own; where there is none, the one built from its module.
TERRAFORM := PATH="$$PATH:$$(dirname "$$($(GO) run ./e2e/parts/cmd terraform)")"

.DEFAULT_GOAL := help
.PHONY: help build install test test-short chaos demo bench fuzz lint fmt docs pictures parts parts-all image clean

help: ## Say what there is (the default)
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Settings: PACKAGES=./locks/... TIMEOUT=40m FUZZTIME=10s CONTEXT=name KEEP=1 REVIEWS=1 DRIFT=1 BROWSER=path"

##@ Use it
build: ## Build bin/mooring, static, with its supervisor inside
	CGO_ENABLED=0 $(GO) run ./internal/build/cmd $(BIN) -trimpath -ldflags '$(LDFLAGS)'

install: ## Install mooring into Go's bin directory
	CGO_ENABLED=0 $(GO) run ./internal/build/cmd "$$(d=$$($(GO) env GOBIN); echo "$${d:-$$($(GO) env GOPATH)/bin}")/mooring" -trimpath -ldflags '$(LDFLAGS)'

demo: build ## Watch the main job on a real API server (KEEP=1 leaves it up, CONTEXT=name uses your cluster, REVIEWS=1 tells of pull requests, DRIFT=1 of drift)
	@$(GO) build -o bin/demo ./e2e/demo
	@exec bin/demo -mooring $(BIN) -context '$(CONTEXT)' $(if $(filter-out 0 no false,$(KEEP)),-keep) $(if $(filter-out 0 no false,$(REVIEWS)),-reviews) $(if $(filter-out 0 no false,$(DRIFT)),-drift)

##@ Test it
test: parts-all ## Run every test, with the race detector; builds the parts first
	inside=$$($(GO) run ./internal/build/cmd -supervisor bin/supervisor) && \
	$(BUILT) MOORING_E2E_BUILD=1 $(TESTENV) $(GO) test -race -p 2 -timeout $(TIMEOUT) $$inside $(PACKAGES)

test-short: ## Run what needs no API server; under a minute
	$(TESTENV) $(GO) test -short -vet=off -timeout 5m $(PACKAGES)

chaos: ## Kill, stop, race and starve Mooring, and print what it kept to (SEED=n MODE=landlock ONLY=name ROUNDS=n)
	$(TERRAFORM) $(TESTENV) $(GO) run ./e2e/chaos $(if $(SEED),-seed $(SEED)) $(if $(MODE),-mode $(MODE)) $(if $(ONLY),-only '$(ONLY)') $(if $(ROUNDS),-rounds $(ROUNDS))

bench: ## Print Mooring's times beside the bare commands', with ratios (ONLY=name LARGE=1)
	$(GO) run ./e2e/parts/cmd terraform providers kubectl
	$(TERRAFORM) $(TESTENV) $(GO) run ./e2e/bench $(if $(ONLY),-only '$(ONLY)') $(if $(LARGE),-large)

fuzz: ## Run every fuzz target for a short while (FUZZTIME each)
	@set -e; for p in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -h '^func Fuzz' $$p/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p; done; done

##@ Keep it in order
lint: ## Check formatting, vet, staticcheck
	@bad=$$(git ls-files -z '*.go' | xargs -0 gofmt -l); if [ -n "$$bad" ]; then echo "not gofmt'ed:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	cd e2e/cluster && $(GO) vet .

fmt: ## Format Go and Terraform files
	git ls-files -z '*.go' | xargs -0 gofmt -w
	if command -v terraform >/dev/null; then terraform fmt -recursive examples; fi

docs: ## Write docs/reference again from the code
	$(GO) test ./docs -run TestReference -update

pictures: build ## Write docs/pictures again: the demos of reviews and of drift, and Chromium (BROWSER=path)
	@$(GO) build -o bin/demo ./e2e/demo
	@for story in -reviews -drift; do bin/demo -mooring $(BIN) $$story -pictures docs/pictures -browser '$(or $(BROWSER),chromium)' || exit 1; done

##@ Parts and packages
parts: ## Build the real API server that tests and the demo use; minutes the first time, then cached
	$(GO) run ./e2e/parts/cmd cluster terraform

parts-all: ## Build every part: also kubectl, providers, OpenTofu, Gitea
	$(GO) run ./e2e/parts/cmd cluster built-terraform kubectl providers tofu gitea

image: ## Build the container image mooring:VERSION
	docker build --build-arg VERSION=$(VERSION) -t mooring:$(VERSION) .

clean: ## Remove what building leaves in the tree; the parts' cache stays
	rm -rf bin dist
