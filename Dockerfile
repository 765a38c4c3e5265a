# The image of the exporter. To build it from a checkout:
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" -t telnyx-sim-exporter .

ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie@sha256:3dd7cc108ec1493442514f5c2a871af6af0ec31d768ff6e378a93340c3b3db5f

FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build

# The locks come before the code, so that a change of code installs nothing anew.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/telnyx-sim-exporter \
    && python -m pip --python /opt/telnyx-sim-exporter/bin/python install --no-compile \
        --no-deps --require-hashes --only-binary :all: -r requirements.lock \
    && python -m venv --without-pip tools \
    && python -m pip --python tools/bin/python install \
        --no-deps --require-hashes --only-binary :all: -r requirements-build.lock

# The byte code holds no times, and is made in one order and with one seed of hashes, so the same
# code gives the same files. Nobody can change what it was made of, so no load checks that.
COPY LICENSE README.md pyproject.toml ./
COPY exporter exporter
RUN tools/bin/python -m hatchling build -t wheel -d dist \
    && python -m pip --python /opt/telnyx-sim-exporter/bin/python install --no-compile \
        --no-deps dist/*.whl \
    && PYTHONHASHSEED=0 python -m compileall -f -q --invalidation-mode unchecked-hash \
        /opt/telnyx-sim-exporter/lib


FROM ${PYTHON_IMAGE}

# The exporter installs nothing, so what could install something goes: pip was the only part of
# this image that fetches code and runs it. The base image comes without byte code of the standard
# library, which each start and each probe would make again for itself, as nothing can keep it.
RUN stdlib="$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && rm -rf "$stdlib/ensurepip" "$stdlib/site-packages/pip" "$stdlib"/site-packages/pip-* \
        /usr/local/bin/pip* \
    && PYTHONHASHSEED=0 python -m compileall -f -q --invalidation-mode unchecked-hash "$stdlib" \
    && install -d -o 65532 -g 65532 /var/lib/telnyx-sim-exporter

COPY --from=build /opt/telnyx-sim-exporter /opt/telnyx-sim-exporter

# PYTHONSAFEPATH: no code is taken from the working directory, the only one that can be written to.
ENV PATH=/opt/telnyx-sim-exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1

# A number, as Kubernetes cannot tell by a name that it is not root.
USER 65532:65532

# The state is kept here: name a volume, so that the next container finds it. Without one it is
# written to an unnamed volume, also where all else is read-only.
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
