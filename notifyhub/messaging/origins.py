"""What messaging itself asks to be sent: tests of a template."""

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import Origin, origins
from notifyhub.messaging.engine.digest.wanted import ORIGIN as DIGEST
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.requests import ORIGIN as API
from notifyhub.messaging.services.trials import ORIGIN
from notifyhub.staff.models import ApiKey


def resolve_tests(ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return {template id: (name, address of the studio)}."""
    wanted = [one for one in ids if one.isdigit()]
    return {
        str(pk): (name, reverse("admin:messaging_template_change", args=[pk]))
        for pk, name in Template.objects.filter(pk__in=wanted).values_list("pk", "name")
    }


def resolve_keys(ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return {key id: (name, address)} of the programs that asked."""
    wanted = [one for one in ids if one.isdigit()]
    return {
        str(pk): (name, reverse("admin:staff_apikey_change", args=[pk]))
        for pk, name in ApiKey.objects.filter(pk__in=wanted).values_list("pk", "name")
    }


def register() -> None:
    """Hand the kinds to the registry."""
    origins.register(API, Origin(label=_("API"), resolve=resolve_keys, permission="staff.view_apikey"))
    origins.register(DIGEST, Origin(label=_("Digest"), resolve=resolve_tests))
    origins.register(
        ORIGIN,
        Origin(
            label=_("Test"),
            resolve=resolve_tests,
            trigger=lambda author: _("Test to oneself"),
        ),
    )
