FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
# Folders that the daemon writes to: without them in the image, they would be root's.
RUN mkdir /empty && CGO_ENABLED=0 go build -trimpath -tags grpcnotrace,disable_grpc_modules -ldflags "-s -w -X main.version=${VERSION}" -o /recsysd ./cmd/recsysd

# Nothing but the program and the certificate authorities; a user without a name.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /recsysd /usr/local/bin/recsysd
COPY --from=build --chown=65532:65532 /empty /var/lib/recsysd
COPY --from=build --chown=65532:65532 /empty /run/recsysd
COPY --from=build --chown=65532:65532 /empty /tmp
USER 65532:65532
EXPOSE 9465
VOLUME ["/var/lib/recsysd", "/run/recsysd"]
ENTRYPOINT ["/usr/local/bin/recsysd"]
CMD ["run", "--config", "/etc/recsysd/config.yaml"]
