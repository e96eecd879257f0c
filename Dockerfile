# One image for web, worker, sweeper and migrate; docker-compose.yml says which.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY . .
RUN pip install --no-cache-dir --no-index --no-deps --no-build-isolation ./client

RUN useradd --system --no-create-home traceway && install --directory --owner traceway --mode 0700 /payloads
USER traceway
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "-c", "python:config.gunicorn", "config.asgi"]
