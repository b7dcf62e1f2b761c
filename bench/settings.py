"""NotifyHub's settings, with the baselines beside it."""

import importlib.util
import os

from notifyhub.settings import *  # noqa: F403
from notifyhub.settings import CELERY_BROKER_TRANSPORT_OPTIONS, INSTALLED_APPS, STORAGES

HAS_POST_OFFICE = importlib.util.find_spec("post_office") is not None

INSTALLED_APPS = [*INSTALLED_APPS, "bench", *(["post_office"] if HAS_POST_OFFICE else [])]
# No files are collected for a page that nobody looks at.
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# The broker may be somebody's own: our queues are apart, and removed at the end.
KEY_PREFIX = "notifyhub-bench:"
CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = KEY_PREFIX  # type: ignore[assignment]

EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ.get("BENCH_SMTP_PORT", "25"))
DEFAULT_FROM_EMAIL = "news@shop.example"
POST_OFFICE = {
    "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
    # Its own recommendation for volume; the default of 100 only makes more rounds.
    "BATCH_SIZE": 1_000,
}
