# Usher alone: PostgreSQL and Valkey are given (see docker-compose.yml), so nothing embedded is installed.
FROM python:3.11-slim AS packages
WORKDIR /usher
RUN python -m venv /usher/.venv
COPY requirements-server.lock ./
RUN /usher/.venv/bin/python -m pip install --no-cache-dir --require-hashes --requirement requirements-server.lock

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin usher
WORKDIR /usher
COPY --from=packages /usher/.venv /usher/.venv
COPY alembic.ini usher ./
COPY migrations ./migrations
COPY app ./app
RUN /usher/.venv/bin/python -m compileall -q app migrations

# Root owns the program and cannot be become: it can be run, not changed.
USER usher
ENV PATH=/usher/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8000 LOG_FORMAT=json
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/live', timeout=2)"]
CMD ["python", "-m", "app", "serve"]
