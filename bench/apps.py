"""The baselines' own tables."""

from django.apps import AppConfig


class BenchConfig(AppConfig):
    """Exists in the harness only; the product does not know it."""

    name = "bench"
    default_auto_field = "django.db.models.BigAutoField"
