# The webhook relay (the default command) and the action's command, `coordinator run`, in one image.
#
#   docker build --tag coordinator .
#   docker run --env-file .env --publish 8000:8000 coordinator
#   docker run ... coordinator coordinator doctor
FROM python:3.13-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /app

# What changes seldom comes first. Every file that is installed has its hash in the lock.
COPY requirements.lock ./
RUN python -m pip install --require-hashes --only-binary :all: --requirement requirements.lock

# Built by the hatchling of the lock; nothing is fetched any more.
COPY pyproject.toml README.md LICENSE ./
COPY coordinator ./coordinator
RUN python -m pip install --no-deps --no-index --no-build-isolation . \
    && python -m compileall -q -j 0 "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

RUN useradd --create-home --uid 10001 coordinator
WORKDIR /home/coordinator
USER coordinator

EXPOSE 8000

HEALTHCHECK --interval=30s --timeout=6s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + (os.environ.get('PORT') or '8000') + '/health', timeout=5)"]

CMD ["coordinator", "serve"]
