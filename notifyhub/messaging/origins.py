"""What messaging itself asks to be sent: tests of a template."""

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import Origin, origins
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.trials import ORIGIN


def resolve_tests(ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return {template id: (name, address of the studio)}."""
    wanted = [one for one in ids if one.isdigit()]
    return {
        str(pk): (name, reverse("admin:messaging_template_change", args=[pk]))
        for pk, name in Template.objects.filter(pk__in=wanted).values_list("pk", "name")
    }


def register() -> None:
    """Hand the kinds to the registry."""
    origins.register(ORIGIN, Origin(label=_("Test"), resolve=resolve_tests))
