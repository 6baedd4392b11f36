# The hub as one container: web and worker together. compose.yaml adds the PostgreSQL.
# A digest pins the image that it is made from: --build-arg PYTHON=python:3.11-slim@sha256:...
ARG PYTHON=python:3.11-slim

# The wheel, by tools whose hashes are locked too; they stay behind.
FROM ${PYTHON} AS build
WORKDIR /build
COPY requirements-build.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY src ./src
RUN pip wheel --no-cache-dir --no-deps --no-index --no-build-isolation --wheel-dir /wheels .

FROM ${PYTHON}

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BASCULE_DATA_DIR=/var/lib/bascule \
    BASCULE_HOST=0.0.0.0

RUN useradd --system --create-home --home-dir /var/lib/bascule bascule

WORKDIR /opt/bascule
# What changes seldom goes first: the locked packages stay cached while the code changes.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

USER bascule
VOLUME /var/lib/bascule
EXPOSE 8003
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; from bascule.settings import Settings; u.urlopen(f'http://127.0.0.1:{Settings().port}/health', timeout=4)"]
CMD ["bascule", "up"]
