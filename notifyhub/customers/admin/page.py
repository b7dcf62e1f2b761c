"""One customer: who, what happened, what may be sent."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic.base import TemplateResponseMixin

from notifyhub.core.registry import customer_actions, customer_panels
from notifyhub.core.templatetags.nh import day
from notifyhub.customers.admin.matrix import consent_matrix
from notifyhub.customers.admin.views import CustomerView
from notifyhub.customers.choices import GIVEN_TO_STAFF, SOURCES
from notifyhub.customers.models import (
    Channel,
    ConsentRecord,
    ContactPoint,
    Customer,
    Hold,
    Merge,
    SegmentMember,
    Topic,
)
from notifyhub.customers.services.duplicates import duplicates_of
from notifyhub.customers.services.numbers import order_numbers
from notifyhub.customers.services.timeline import event_names, timeline_page

TABS = {
    "": gettext_lazy("All"),
    "message": gettext_lazy("Messages"),
    "order": gettext_lazy("Orders"),
    "case": gettext_lazy("Cases"),
    "consent": gettext_lazy("Consent"),
    "event": gettext_lazy("Events"),
}
HISTORY = 100
SHOWN_SEGMENTS = 8


class CustomerPage(TemplateResponseMixin, CustomerView):
    """The page itself; timeline and panels of other apps follow by themselves."""

    template_name = "customers/page.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        if customer.merged_into_id:
            return redirect("admin:customers_customer_change", customer.merged_into_id)
        if customer.state == Customer.State.ERASED:
            self.template_name = "customers/erased.html"
        return self.render_to_response(self.get_context_data(customer=customer))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        customer: Customer = kwargs["customer"]
        listing = reverse("admin:customers_customer_changelist")
        context = super().get_context_data(
            title=str(customer), crumbs=[(_("Customers"), listing), (str(customer), "")], **kwargs
        )
        context["numbers"] = order_numbers(customer_id=customer.pk, now=timezone.now())
        if customer.state == Customer.State.ERASED:
            return context
        contacts = sorted(ContactPoint.objects.masked().filter(customer=customer), key=_as_people_read)
        members = SegmentMember.objects.filter(customer=customer, segment__archived_at=None)
        request = self.request
        return context | {
            "contacts": contacts,
            "holds": list(Hold.objects.in_force(timezone.now()).filter(customer=customer)),
            "matrix": consent_matrix(customer, contacts),
            "duplicates": duplicates_of(customer_id=customer.pk),
            "merges": list(
                Merge.objects.filter(kept=customer, undone_at=None).select_related("merged", "by")[:5]
            ),
            "segments": [m.segment for m in members.select_related("segment")[: SHOWN_SEGMENTS + 1]],
            "shown_segments": SHOWN_SEGMENTS,
            "actions": [found for action in customer_actions if (found := action(request, customer))],
            "left_panels": self.panels("left"),
            "right_panels": self.panels("right"),
            "topics": Topic.objects.filter(active=True),
            "channels": Channel,
            "sources": {code: SOURCES[code] for code in GIVEN_TO_STAFF},
            "scopes": Hold.Scope,
            "kinds": ContactPoint.Kind,
        }

    def panels(self, side: str) -> list[tuple[str, Any]]:
        """Return the panels of other apps for one side that the viewer may open."""
        user = self.request.user
        return [
            (name, panel)
            for name, panel in customer_panels.items()
            if (panel.column == "left") == (side == "left")
            and (not panel.permission or user.has_perm(panel.permission))
        ]


def _as_people_read(point: ContactPoint) -> tuple[int, bool]:
    return ContactPoint.Kind.values.index(point.kind), not point.primary


class CustomerTimeline(TemplateResponseMixin, CustomerView):
    """Twenty-five entries older than a moment."""

    template_name = "customers/timeline.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        kind = request.GET.get("kind", "")
        event = request.GET.get("event", "").replace("\x00", "")[:80]
        before = self._before(request.GET.get("before", ""))
        page = timeline_page(
            customer_id=customer.pk,
            request=request,
            kind=kind if kind in TABS else "",
            event=event if kind == "event" else "",
            before=before,
        )
        last = timezone.localdate(before) if before else None
        rows = []
        for entry in page.entries:
            date = timezone.localdate(entry.at)
            rows.append({"entry": entry, "day": _day_title(entry.at) if date != last else ""})
            last = date
        context = {
            "customer": customer, "rows": rows, "page": page, "kind": kind, "tabs": TABS, "event": event,
        }  # fmt: skip
        if kind == "event" and not before:
            context["names"] = event_names(customer_id=customer.pk)
        if before:
            self.template_name = "customers/timeline_rows.html"
        return self.render_to_response(context)

    def _before(self, text: str) -> Any:
        try:
            moment = parse_datetime(text)
        except ValueError:
            return None
        return moment if moment and timezone.is_aware(moment) else None


def _day_title(moment: Any) -> str:
    text = day(moment)
    names = {0: _("Today"), 1: _("Yesterday")}
    name = names.get((timezone.localdate() - timezone.localdate(moment)).days)
    return f"{name}, {text}" if name else text


class CustomerPanel(CustomerView):
    """A card of another app, loaded on its own."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        panel = customer_panels.get(kwargs["name"])
        if panel is None or (panel.permission and not request.user.has_perm(panel.permission)):
            raise Http404
        return HttpResponse(panel.render(request, customer))


class ConsentHistory(TemplateResponseMixin, CustomerView):
    """Everything the customer allowed and forbade, as it was given."""

    template_name = "customers/consents.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        rows = ConsentRecord.objects.filter(customer=customer).select_related("topic")
        context = self.get_context_data(
            title=_("Consent history"),
            crumbs=[
                (_("Customers"), reverse("admin:customers_customer_changelist")),
                (str(customer), self.page_url()),
                (_("Consent history"), ""),
            ],
            customer=customer,
            records=[(row, SOURCES.get(row.source, row.source)) for row in rows[: HISTORY + 1]],
            most=HISTORY,
        )
        return self.render_to_response(context)
