"""The baselines' own tables, and the account that sends nowhere."""

from django.apps import AppConfig


class BenchConfig(AppConfig):
    """Exists in the harness only; the product does not know it."""

    name = "bench"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bench.null import register

        register()
