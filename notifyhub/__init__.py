"""NotifyHub: the project package, and the ground both departments stand on."""

from notifyhub.celery import app as celery_app

__all__ = ["celery_app"]
