"""Every setting, from the environment (or the file `.env` at the checkout's root) and nowhere else.

A variable that is empty is one that is not set. Without DATABASE_URL or REDIS_URL the embedded servers of this checkout
are meant. There is no debug mode.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import environ
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from config.code_version import code_version
from config.masking import mask_secrets, mask_tokens, name_request
from config.payload_storage import payload_storage
from config.stack.data_dir import CHECKOUT, DataDir

env = environ.Env()
env.read_env(CHECKOUT / ".env")
_data = DataDir.of_this_checkout()

SECRET_KEY = env.str("SECRET_KEY", "") or _data.secret_key()
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", default=8000)
LISTENING_FD = env.int("LISTENING_FD", default=None)
"""A socket bound to HOST and PORT that the web process inherits from its supervisor; None: it binds one itself."""
_everywhere = HOST in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
PUBLIC_URL = (env.str("PUBLIC_URL", "") or f"http://{'localhost' if _everywhere else HOST}:{PORT}").rstrip("/")
_own_names = [urlsplit(PUBLIC_URL).hostname, "localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or _own_names
PAYMENTS_SANDBOX = env.bool("PAYMENTS_SANDBOX", default=False)
EGRESS_ALLOWED_HOSTS: list[str] = env.list("EGRESS_ALLOWED_HOSTS", default=[])
"""`host` or `host:port`: what outbound steps may reach although it is private, loopback or link-local."""
LLM_BASE_URL = env.str("LLM_BASE_URL", "")
"""Where llm_inference steps ask that name no endpoint."""
STRIPE_API_URL = env.str("STRIPE_API_URL", "") or "https://api.stripe.com"
OUTPUT_LIMIT_BYTES = env.int("OUTPUT_LIMIT_BYTES", default=1024 * 1024)
PAYLOAD_INLINE_BYTES = env.int("PAYLOAD_INLINE_BYTES", default=256 * 1024)
"""A JSON text of more bytes stands in the payload store, and its column refers to it."""
PAYLOAD_STORE = env.str("PAYLOAD_STORE", "") or str(_data.payloads)
"""A folder, or `s3://bucket/prefix`."""
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", "") or None
"""Where the S3-compatible service answers; None: Amazon's. Credentials and region are those of boto3: AWS_..."""
STREAM_HEARTBEAT_SECONDS = env.float("STREAM_HEARTBEAT_SECONDS", default=15.0)
"""How often an open stream says that it is there, and has its credential checked again."""
WORKERS = env.int("WORKERS", default=min(16, 2 * (os.cpu_count() or 1)))
"""Child processes of one Celery worker. More than processors, because most steps wait for somebody else."""
LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
CODE_VERSION = code_version(CHECKOUT)
"""Stands on every attempt."""

TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
"""How many proxies stand before the web process, each of which adds to X-Forwarded-For."""
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
"""Earlier values of SECRET_KEY: what they signed or sealed is still good."""

EMBEDDED_POSTGRES = not env.str("DATABASE_URL", "")
EMBEDDED_VALKEY = not env.str("REDIS_URL", "")
DATABASE_URL = env.str("DATABASE_URL", "") or _data.database_url()
REDIS_URL = env.str("REDIS_URL", "") or _data.redis_url()
REDIS_TIMEOUTS = {"socket_timeout": 15, "socket_connect_timeout": 3, "socket_keepalive": True}
"""Keyword arguments of every redis client, in seconds."""

_GIVE_UP_SOON = {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 1}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    **REDIS_TIMEOUTS,
    **_GIVE_UP_SOON,
    "retry_on_timeout": True,
    "health_check_interval": 10,
    "global_keyprefix": "traceway:",
    "client_name": "traceway",
}
CELERY_BROKER_CONNECTION_TIMEOUT = 3
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_POOL_LIMIT = 10
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 5
CELERY_TASK_PUBLISH_RETRY_POLICY = _GIVE_UP_SOON
CELERY_TASK_DEFAULT_QUEUE = "traceway"
# A message is only a hint, so none is worth keeping once a worker has it.
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_CONCURRENCY = WORKERS
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ETA_TASK_LIMIT = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 300_000  # KiB
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30.0
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False

_database = env.db_url_config(DATABASE_URL)
DATABASES = {
    "default": {
        **_database,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "application_name": "traceway",
            # Of what contract/prepared.py sends; the ORM's own cursors prepare nothing.
            "prepare_threshold": 0,
            **_database.get("OPTIONS", {}),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "drf_spectacular_sidecar",
    "rest_framework",
    "config",
    "tenants",
    "workflows",
    "executions",
    "orchestrator",
]
MIDDLEWARE = [
    "contract.http.RequestIdMiddleware",
    "config.metrics.CountingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
REST_FRAMEWORK = {
    "EXCEPTION_HANDLER": "config.errors.handle",
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.authentication.KeyAuthentication"],
    "DEFAULT_RENDERER_CLASSES": ["contract.http.JsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "contract.http.JsonRegardless",
    "DEFAULT_PARSER_CLASSES": ["contract.http.StrictJSONParser"],
    "UNAUTHENTICATED_USER": None,
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "payloads": payload_storage(PAYLOAD_STORE, S3_ENDPOINT_URL),
}
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True

FORMAT_MODULE_PATH = ["config.formats"]
UNFOLD = {
    "SITE_TITLE": "Traceway",
    "SITE_HEADER": "Traceway",
    "SITE_SYMBOL": "conversion_path",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": f"{STATIC_URL}executions/icon.svg"}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
}
"""The look of the admin; its windows are each room's own admin.py."""

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_SSL_REDIRECT = False
"""The proxy that ends TLS redirects; the health checks behind it speak plain HTTP."""
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
X_FRAME_OPTIONS = "DENY"

_shared_processors: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _shared_processors,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Local variables hold inputs, outputs and secrets: a traceback never shows them.
                structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
                name_request,
                structlog.processors.JSONRenderer(),
                mask_tokens,
                mask_secrets,
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # Both write two lines for every message.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        # It would write every address that a step calls, query and all.
        "httpx": {"level": "WARNING"},
    },
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_shared_processors,
        structlog.processors.StackInfoRenderer(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
