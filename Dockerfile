# syntax=docker/dockerfile:1

# One static binary in an image with nothing else. With a Temporal cluster:
#
#   docker compose up --build        (see docker-compose.yml)
#
# Alone, with the embedded Temporal and its data in a volume:
#
#   docker build -t parley .
#   docker run --rm -p 127.0.0.1:8080:8080 -v parley-data:/data -v ./parley.yaml:/etc/parley/parley.yaml:ro \
#     -e PARLEY_CONFIG=/etc/parley/parley.yaml -e PARLEY_API_KEYS -e LIVECHAT_SECRET parley
#
# Inside a container Parley listens beyond loopback, and so it refuses to start without API keys (`parley key new NAME`)
# and without a secret for every source. The embedded Temporal UI stays on the container's loopback; to look at it,
# use the compose file or `--network host`.

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
ARG TARGETOS TARGETARCH VERSION
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
WORKDIR /src

COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
# The first build compiles the Temporal server and takes some minutes; the cache makes the next ones quick.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w ${VERSION:+-X main.version=$VERSION}" -o /out/parley ./cmd/parley && \
    mkdir /out/data

# Certificates, time zones and the user nonroot (65532), no shell.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/parley /usr/local/bin/parley
# A new volume takes its owner from the directory in the image. Were that root's, SQLite would say "unable to open
# database file".
COPY --from=build --chown=65532:65532 /out/data /data
ENV PARLEY_DATA_DIR=/data PARLEY_HTTP_ADDR=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
# No HEALTHCHECK: the image has no shell and no HTTP client, and what runs containers asks better questions from
# outside: GET /healthz (the process lives) and GET /readyz (Temporal and the database answer).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/parley"]
CMD ["start"]
