# syntax=docker/dockerfile:1

# --- build: a static binary ------------------------------------------------
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG VERSION=unknown
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
# Modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# What builds runs here; what it builds runs there.
RUN CGO_ENABLED=0 go build -o /build ./internal/build/cmd \
    && GOOS=$TARGETOS GOARCH=$TARGETARCH /build /mooring -trimpath -ldflags "-s -w -X main.version=$VERSION"

# --- run -------------------------------------------------------------------
FROM debian:bookworm-slim

# git and openssh-client are for Terraform's own module sources; Mooring itself
# speaks Git without them. The shell is for local-exec. Terraform is not here:
# Mooring installs the version each root module asks for into its data
# directory, or finds one that is added to PATH in an image made from this one.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 mooring \
    && useradd --uid 65532 --gid mooring --home-dir /var/lib/mooring --no-create-home --shell /usr/sbin/nologin mooring \
    && install -d -o mooring -g mooring -m 0700 /var/lib/mooring \
    && install -d -m 0755 /etc/mooring

COPY --from=build /mooring /usr/local/bin/mooring

USER 65532:65532
ENV HOME=/var/lib/mooring \
    MOORING_CONFIG=/etc/mooring/server.hcl
WORKDIR /var/lib/mooring
VOLUME /var/lib/mooring
EXPOSE 4141

# Asks the running server over its socket, so it needs no `listen`. It answers
# while the server is busy; readiness of its repositories is /readyz.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["mooring", "locks", "-o", "json"]

# Mooring is PID 1: it drains on SIGTERM. Give the container at least as long as
# "grace" in server.hcl (two minutes unless it says otherwise):
#   docker run --stop-timeout 150 …
STOPSIGNAL SIGTERM
ENTRYPOINT ["mooring"]
CMD ["serve"]
