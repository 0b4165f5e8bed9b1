# One image for all parts: `docker run gonets web`, `… worker`, `… flask --app wsgi db upgrade`.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    PROMETHEUS_MULTIPROC_DIR=/metrics

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin gonets \
    && install --directory --owner=gonets --mode=0700 /metrics

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
    -r requirements.txt
COPY . .

USER gonets
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --start-interval=1s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["/app/docker-entrypoint.sh"]
CMD ["web"]
