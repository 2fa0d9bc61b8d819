# The executable in an image without a shell. Build: docker build -t pocketbase .
# Run: docker run -p 8080:8080 -v pb:/pb/pb_data pocketbase
# Health: GET /api/health. Stop: SIGTERM drains open requests (--shutdownTimeout).

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked --bin pocketbase \
    && install -D target/dist/pocketbase /out/pb/pocketbase \
    && install -d /out/pb/pb_data /out/pb/pb_public

# libc, CA certificates and time zones, nothing else; runs as an ordinary user
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build --chown=nonroot:nonroot /out/pb /pb
WORKDIR /pb
EXPOSE 8080
VOLUME ["/pb/pb_data"]
ENTRYPOINT ["/pb/pocketbase"]
CMD ["serve", "--http=0.0.0.0:8080"]
