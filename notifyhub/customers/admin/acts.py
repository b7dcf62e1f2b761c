"""The dialogs of a customer's page: reveal, consent, contact point, hold."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from notifyhub.core.errors import Refused
from notifyhub.customers.admin.views import CustomerView, DialogView, posted, read_number
from notifyhub.customers.choices import GIVEN_TO_STAFF, SOURCES
from notifyhub.customers.models import Channel, ContactPoint, Customer, Decision, Hold, Topic
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.contact_points import add_contact_point
from notifyhub.customers.services.holds import place_hold, release_hold
from notifyhub.customers.services.reveal import reveal_contact


def read_moment(text: str, field: str) -> datetime | None:
    """Return the moment in a datetime-local field in the viewer's zone, None if it is empty."""
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise Refused(_("Write date and time like 2026-11-20 09:00."), field=field)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


@method_decorator(never_cache, name="dispatch")
class Reveal(CustomerView):
    """POST with a reason: the value once, in the dialog, kept by no cache."""

    http_method_names = ["post"]
    permission_required = ("customers.view_customer", "customers.reveal_customer")

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        context: dict[str, Any] = {"customer": customer, "typed": request.POST}
        contact_id = read_number(posted(request, "contact"))
        points = ContactPoint.objects.masked().filter(customer=customer)
        context["contacts"] = points
        status = 200
        try:
            if not points.filter(pk=contact_id).exists():
                raise Refused(_("Choose what to reveal."), field="contact")
            context["value"] = reveal_contact(
                user=request.user,  # type: ignore[arg-type]
                contact_id=contact_id,
                reason=posted(request, "reason"),
            )
        except Refused as refusal:
            context["refusal"], status = refusal, 422
        template = "customers/dialogs/reveal.html"
        if not request.headers.get("HX-Request"):
            template = "customers/revealed.html"
            context = {**self.get_context_data(title=_("Reveal")), **context}
        response = render(request, template, context, status=status)
        response["Cache-Control"] = "no-store"
        return response


class RecordConsent(DialogView):
    """POST topic, channel, decision, source, wording."""

    permission_required = ("customers.view_customer", "customers.change_consent")
    template_name = "customers/dialogs/consent.html"

    def dialog_context(self, customer: Customer) -> dict[str, Any]:
        sources = {code: SOURCES[code] for code in GIVEN_TO_STAFF}
        return {"topics": Topic.objects.filter(active=True), "channels": Channel, "sources": sources}

    def act(self, request: HttpRequest, customer: Customer) -> str:
        topic = Topic.objects.filter(pk=read_number(posted(request, "topic")), active=True).first()
        if topic is None:
            raise Refused(_("Choose a topic."), field="topic")
        decision = posted(request, "decision")
        record_consent(
            customer_id=customer.pk,
            topic=topic,
            channel=posted(request, "channel"),
            decision=decision,
            source=posted(request, "source"),
            wording=posted(request, "wording").strip(),
            given_at=read_moment(posted(request, "given_at"), "given_at"),
        )
        return _("%(topic)s: %(decision)s.") % {"topic": topic, "decision": Decision(decision).label}


class AddContact(DialogView):
    """POST kind and value."""

    permission_required = ("customers.view_customer", "customers.change_customer")
    template_name = "customers/dialogs/contact.html"

    def act(self, request: HttpRequest, customer: Customer) -> str:
        add_contact_point(
            customer_id=customer.pk,
            kind=posted(request, "kind"),
            raw=posted(request, "value"),
            primary=bool(posted(request, "primary")),
        )
        return _("The contact point is saved.")


class PlaceHold(DialogView):
    """POST scope, what, reason, end."""

    permission_required = ("customers.view_customer", "customers.add_hold")
    template_name = "customers/dialogs/hold.html"

    def dialog_context(self, customer: Customer) -> dict[str, Any]:
        return {"topics": Topic.objects.filter(active=True), "channels": Channel, "scopes": Hold.Scope}

    def act(self, request: HttpRequest, customer: Customer) -> str:
        scope = posted(request, "scope")
        place_hold(
            customer_id=customer.pk,
            scope=scope,
            scope_value=posted(request, f"value_{scope}"),
            reason=posted(request, "reason"),
            ends_at=read_moment(posted(request, "ends_at"), "ends_at"),
        )
        return _("The hold is in force.")


class ReleaseHold(DialogView):
    """POST hold and reason."""

    permission_required = ("customers.view_customer", "customers.change_hold")
    template_name = "customers/dialogs/release.html"

    def act(self, request: HttpRequest, customer: Customer) -> str:
        hold = Hold.objects.filter(pk=read_number(posted(request, "hold")), customer=customer).first()
        if hold is None:
            raise Refused(_("This hold is over already."))
        release_hold(hold_id=hold.pk, reason=posted(request, "reason"))
        return _("The hold is released.")
