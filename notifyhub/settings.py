"""One settings file, driven by the environment and loud about bad values.

What the environment leaves unset is looked up in `<data folder>/env`, which `./run` writes; so
`manage.py` in a second terminal talks to the same servers without setting anything.
"""

import base64
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import environ
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
DATA_DIR = Path(env.str("NOTIFYHUB_DATA_DIR", default=str(BASE_DIR / "var")))
environ.Env.read_env(str(DATA_DIR / "env"), overwrite=False) if (DATA_DIR / "env").is_file() else None

DEVELOPMENT_KEY = "development-key-that-production-refuses"

DEBUG = env.bool("DEBUG", default=False)
PRODUCTION = env.bool("PRODUCTION", default=not DEBUG)
SECRET_KEY = env.str("SECRET_KEY", default=DEVELOPMENT_KEY if DEBUG else "")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# "id:base64 of 32 bytes", newest first; the first encrypts, all of them decrypt.
FIELD_KEYS = env.list("FIELD_KEYS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000").rstrip("/")

if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Start with ./run, or set SECRET_KEY in the environment."
    )
if PRODUCTION and (DEBUG or SECRET_KEY == DEVELOPMENT_KEY):
    raise ImproperlyConfigured(
        "Production refuses DEBUG and the development key. Unset DEBUG, set SECRET_KEY."
    )
if not FIELD_KEYS:
    raise ImproperlyConfigured(
        "FIELD_KEYS is not set, so personal data cannot be encrypted. "
        "Start with ./run, or set FIELD_KEYS=k1:<base64 of 32 random bytes>."
    )


def _is_field_key(text: str) -> bool:
    name, _colon, encoded = text.partition(":")
    try:
        return 0 < len(name) <= 20 and len(base64.b64decode(encoded, validate=True)) == 32
    except ValueError:
        return False


def _seconds(name: str, default: int) -> int:
    text = env.str(name, default=str(default))
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 86400):
        raise ImproperlyConfigured(f"{name} must be a number of seconds from 1 to 86400, not “{text}”.")
    return int(text)


def _days(name: str, default: int) -> int:
    text = env.str(name, default=str(default))
    if not (text.isascii() and text.isdecimal() and int(text) <= 36500):
        raise ImproperlyConfigured(f"{name} must be a number of days from 0 (keep) to 36500, not “{text}”.")
    return int(text)


if not all(_is_field_key(item) for item in FIELD_KEYS):
    raise ImproperlyConfigured(
        "FIELD_KEYS must be a comma-separated list of id:base64, 32 bytes each, newest first."
    )
if PRODUCTION and not ALLOWED_HOSTS:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS is empty, so every request would be refused. Name the hosts that serve the site."
    )
if urlsplit(PUBLIC_URL).scheme not in ("http", "https") or not urlsplit(PUBLIC_URL).netloc:
    raise ImproperlyConfigured(f"PUBLIC_URL must look like https://hub.example, not “{PUBLIC_URL}”.")

TESTING = "pytest" in sys.modules

INSTALLED_APPS = [
    "django_prometheus",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "notifyhub.console.apps.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "import_export",
    "simple_history",
    "axes",
    "csp",
    "django_celery_beat",
    "notifyhub.core.apps.CoreConfig",
    "notifyhub.staff.apps.StaffConfig",
    "notifyhub.customers.apps.CustomersConfig",
    "notifyhub.messaging.apps.MessagingConfig",
    "notifyhub.reminders.apps.RemindersConfig",
    "campaigns.apps.CampaignsConfig",
    "feedback.apps.FeedbackConfig",
    "notifyhub.console.apps.ConsoleConfig",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "notifyhub.core.middleware.NulIsABadRequest",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "notifyhub.staff.middleware.ViewerMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "notifyhub.urls"
WSGI_APPLICATION = "notifyhub.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.template.context_processors.tz",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, Any] = {"default": env.db("DATABASE_URL", default="postgresql://postgres@/notifyhub")}
if "postgresql" not in DATABASES["default"]["ENGINE"]:
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database; NotifyHub uses nothing else.")
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
DATABASE_POOL = env.str("DATABASE_POOL", default="session")
if DATABASE_POOL not in ("session", "transaction"):
    raise ImproperlyConfigured("DATABASE_POOL must be session (also without a pooler) or transaction.")
# A pooler that gives each transaction another connection keeps nothing of a session: neither what was set in
# it, which others would find there instead, nor what was prepared, unless it sees to that itself (PgBouncer:
# max_prepared_statements).
DATABASES["default"]["OPTIONS"]["prepare_threshold"] = (
    5 if env.bool("NOTIFYHUB_DB_PREPARE", default=DATABASE_POOL == "session") else None
)
if env.bool("NOTIFYHUB_DB_POOL", default=False):
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 8, "timeout": 5}

BROKER_URL = env.str("BROKER_URL", default="redis://127.0.0.1:6379/0")

AUTH_USER_MODEL = "staff.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
if TESTING:
    # The tests sign in hundreds of times, and nothing of theirs is worth a slow hash.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_CALLABLE = "notifyhub.staff.lockout.locked_out"
AXES_ENABLE_ADMIN = False
AXES_ENABLED = not TESTING

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "theme"]
USE_I18N = True
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Shanghai")
if TIME_ZONE not in available_timezones():
    raise ImproperlyConfigured(f"TIME_ZONE “{TIME_ZONE}” is unknown. Write it like Asia/Shanghai.")
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
# The tests collect no files, and the middleware would warn of their missing folder.
WHITENOISE_AUTOREFRESH = TESTING
MEDIA_ROOT = DATA_DIR / "files"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Previews are frames of our own site, sandboxed; other sites frame nothing (frame-ancestors below).
X_FRAME_OPTIONS = "SAMEORIGIN"
SILENCED_SYSTEM_CHECKS = ["security.W019"]
SECURE_REFERRER_POLICY = "same-origin"
HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS and env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_HSTS_SECONDS = 365 * 86400 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
FILE_UPLOAD_TEMP_DIR = None

# The theme needs Alpine's evaluating build, hence 'unsafe-eval'; untrusted HTML is served apart, sandboxed.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "frame-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["notifyhub.staff.api_keys.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["notifyhub.staff.api_keys.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["notifyhub.staff.api_keys.KeyThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["notifyhub.customers.api.parsing.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "notifyhub.core.problems.problem_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "NotifyHub API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
}

CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "retry_on_timeout": True,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "housekeeping"
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SYNC_EVERY = 1
CELERY_BEAT_CRON_STARTING_DEADLINE = 600
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
DJANGO_CELERY_BEAT_TZ_AWARE = True

LEASE_SECONDS = _seconds("NOTIFYHUB_LEASE_SECONDS", 60)
TICK_SECONDS = _seconds("NOTIFYHUB_TICK_SECONDS", 5)
# Clicks of so many seconds are written together; 0 writes each at once.
TRACKING_SECONDS = env.float("NOTIFYHUB_TRACKING_SECONDS", default=1.0)
# How this machine is called in leases and events, where its host name says nothing (a container).
# Outside production a real provider account sends only to these ("*" or fnmatch patterns).
ALLOW_RECIPIENTS = env.list("NOTIFYHUB_ALLOW_RECIPIENTS", default=["*"] if PRODUCTION and not DEBUG else [])
# Hosts of providers that may lie in our own network, also in production.
PRIVATE_ENDPOINTS = [host.strip().lower() for host in env.list("NOTIFYHUB_PRIVATE_ENDPOINTS", default=[])]

# Who may read /metrics from elsewhere than this machine.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# How long what was sent is kept, in days; 0 keeps it for ever. Whole partitions are dropped.
KEEP_DAYS = {
    "events": _days("NOTIFYHUB_KEEP_EVENTS_DAYS", 400),
    "copies": _days("NOTIFYHUB_KEEP_COPIES_DAYS", 180),
    "counts": _days("NOTIFYHUB_KEEP_COUNTS_DAYS", 100),
    "ledger": _days("NOTIFYHUB_KEEP_LEDGER_DAYS", 400),
    "replies": _days("NOTIFYHUB_KEEP_REPLIES_DAYS", 180),
}

IMPORT_EXPORT_USE_TRANSACTIONS = True
SIMPLE_HISTORY_REVERT_DISABLED = True
PROMETHEUS_EXPORT_MIGRATIONS = False

UNFOLD = {
    "SITE_TITLE": "NotifyHub",
    "SITE_HEADER": "NotifyHub",
    "SITE_SUBHEADER": _("Messages and care"),
    "SITE_SYMBOL": "campaign",
    "SITE_URL": None,
    "SHOW_LANGUAGES": True,
    "ACCOUNT": {"navigation": [{"title": _("My profile"), "link": reverse_lazy("admin:staff_profile")}]},
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        # Violet is ours; these are the weights of the theme's scale (52-61% lightness for buttons and bars).
        "primary": {
            "50": "oklch(97.4% .012 288)",
            "100": "oklch(94.6% .027 288)",
            "200": "oklch(89.5% .055 288)",
            "300": "oklch(81.5% .1 287)",
            "400": "oklch(71.5% .15 286)",
            "500": "oklch(61% .19 285)",
            "600": "oklch(52% .2 284)",
            "700": "oklch(46% .19 284)",
            "800": "oklch(39% .16 284)",
            "900": "oklch(33% .13 284)",
            "950": "oklch(24% .1 284)",
        },
    },
    "GLOBAL_CALLBACK": "notifyhub.console.branding.page_context",
    "ENVIRONMENT": "notifyhub.console.branding.environment",
    "DASHBOARD_CALLBACK": "notifyhub.console.branding.dashboard",
    "STYLES": ["notifyhub.console.branding.stylesheet", "campaigns.cards.stylesheet"],
    "SCRIPTS": ["notifyhub.console.branding.script"],
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "sizes": "32x32",
            "type": "image/svg+xml",
            "href": "notifyhub.console.branding.favicon",
        }
    ],
    # The theme's own search sends its term by GET and caches it; ours posts, see console.search.
    "SIDEBAR": {"show_search": False, "navigation": "notifyhub.console.branding.navigation"},
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"mask": {"()": "notifyhub.core.logs.MaskPersonalData"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["mask"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"django.server": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}
