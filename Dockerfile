# The exporter's image. To build it from a checkout:
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" -t telnyx-sim-exporter .

ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie@sha256:3dd7cc108ec1493442514f5c2a871af6af0ec31d768ff6e378a93340c3b3db5f

FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build

# Lock files before code, so that code changes do not invalidate the layer with the dependencies.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/telnyx-sim-exporter \
    && python -m pip --python /opt/telnyx-sim-exporter/bin/python install --no-compile \
        --no-deps --require-hashes --only-binary :all: -r requirements.lock \
    && python -m venv --without-pip tools \
    && python -m pip --python tools/bin/python install --no-compile \
        --no-deps --require-hashes --only-binary :all: -r requirements-build.lock

# Reproducible bytecode: no timestamps and a fixed hash seed. Its sources cannot change in the image, so
# they need not be checked when it is loaded.
COPY LICENSE README.md pyproject.toml ./
COPY exporter exporter
COPY helm helm
RUN tools/bin/python -m hatchling build -t wheel -d dist \
    && python -m pip --python /opt/telnyx-sim-exporter/bin/python install --no-compile \
        --no-deps dist/*.whl \
    && PYTHONHASHSEED=0 python -m compileall -f -q --invalidation-mode unchecked-hash \
        /opt/telnyx-sim-exporter/lib


FROM ${PYTHON_IMAGE}

# Remove pip, the only part of the image that can download and run code. The base image has no bytecode
# of the standard library, which would otherwise be compiled again at each start and by each probe,
# because it could not be written to disk.
RUN stdlib="$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && rm -rf "$stdlib/ensurepip" "$stdlib/site-packages/pip" "$stdlib"/site-packages/pip-* \
        /usr/local/bin/pip* \
    && PYTHONHASHSEED=0 python -m compileall -f -q --invalidation-mode unchecked-hash "$stdlib" \
    && install -d -o 65532 -g 65532 /var/lib/telnyx-sim-exporter

COPY --from=build /opt/telnyx-sim-exporter /opt/telnyx-sim-exporter

# PYTHONSAFEPATH: import nothing from the working directory, the only writable one.
ENV PATH=/opt/telnyx-sim-exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1

# Numeric, because Kubernetes cannot verify runAsNonRoot with a user name.
USER 65532:65532

# The state directory: mount a named volume to keep it for the next container. Otherwise it is written
# to an anonymous volume, which also works with a read-only root file system.
WORKDIR /var/lib/telnyx-sim-exporter
VOLUME ["/var/lib/telnyx-sim-exporter"]

EXPOSE 10874
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["python", "-m", "exporter.probe"]
ENTRYPOINT ["telnyx-sim-exporter"]
CMD ["run"]

ARG REVISION=unknown
ARG VERSION=0.1.0
ENV TELNYX_SIM_EXPORTER_REVISION=${REVISION}
LABEL org.opencontainers.image.title="telnyx-sim-exporter" \
    org.opencontainers.image.description="Prometheus exporter for the asynchronous SIM card actions of Telnyx accounts" \
    org.opencontainers.image.url="https://github.com/telnyx-sim-exporter/telnyx-sim-exporter" \
    org.opencontainers.image.source="https://github.com/telnyx-sim-exporter/telnyx-sim-exporter" \
    org.opencontainers.image.documentation="https://github.com/telnyx-sim-exporter/telnyx-sim-exporter#readme" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
