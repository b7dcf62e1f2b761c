"""The sandbox: what would have arrived, as a phone and a mail client show it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.admin.ledger.message import message_or_404
from notifyhub.messaging.models import (
    Delivery,
    DeliveryEvent,
    Dispatch,
    InboundMessage,
    Link,
    ProviderAccount,
)
from notifyhub.messaging.rendering.program import Rendered
from notifyhub.messaging.services.copies import show_many
from notifyhub.messaging.services.replies import replies_by_message, reply_in_sandbox
from notifyhub.messaging.services.showing import for_staff, tracked_links

LOOKED = 300
SHOWN = 12
PHONES = (Channel.SMS, Channel.PUSH, Channel.WECHAT, Channel.WECOM, Channel.DINGTALK, Channel.INBOX)


def latest_in_sandbox() -> list[Delivery]:
    """Return the latest messages handed to sandbox accounts, newest first, from a bounded look at events."""
    accounts = set(ProviderAccount.objects.filter(backend="sandbox").values_list("pk", flat=True))
    events: list[DeliveryEvent] = []
    # One look-up per kind: each walks its own end of the index.
    for kind in (DeliveryEvent.Kind.SENT, DeliveryEvent.Kind.DELIVERED):
        events += DeliveryEvent.objects.filter(kind=kind).order_by("-at")[:LOOKED]
    wanted = {(one.dispatch_id, one.delivery_id) for one in events if one.account_id in accounts}
    rows = Delivery.objects.filter(
        dispatch_id__in={pair[0] for pair in wanted}, id__in={pair[1] for pair in wanted}
    )
    found = [row for row in rows if (row.dispatch_id, row.pk) in wanted]
    return sorted(found, key=lambda row: (row.settled_at or row.send_at, row.pk), reverse=True)


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A message as the sandbox shows it; `links` are those that count clicks, (path, where it leads);
    `answers` what the customer replied."""

    row: Delivery
    rendered: Rendered | None
    name: str
    dispatch: Dispatch
    links: list[tuple[str, str]]
    answers: Sequence[InboundMessage]


def urls_of(dispatches: Iterable[Dispatch]) -> dict[int, list[str]]:
    """Return the counted addresses of the dispatches' template versions, by number, in one query."""
    found: dict[int, list[str]] = {}
    rows = Link.objects.filter(template_version_id__in={one.template_version_id for one in dispatches})
    for version, url in rows.order_by("number").values_list("template_version_id", "url"):
        found.setdefault(version, []).append(url)
    return found


class SandboxPage(PageMixin, TemplateView):
    """A phone per chat channel and one inbox, with the latest messages in each."""

    template_name = "messaging/ledger/sandbox.html"
    permission_required = "messaging.view_delivery"
    title = gettext_lazy("Sandbox")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.crumbs = [(_("Messages"), reverse("admin:messaging_delivery_changelist")), (self.title, "")]
        by_channel: dict[str, list[Delivery]] = {}
        for row in latest_in_sandbox():
            kept = by_channel.setdefault(row.channel, [])
            if len(kept) < SHOWN:
                kept.append(row)
        rows = [row for kept in by_channel.values() for row in kept]
        dispatches = Dispatch.objects.in_bulk({row.dispatch_id for row in rows})
        names = {
            one.pk: str(one)
            for one in Customer.objects.filter(pk__in={row.customer_id for row in rows}).only(
                "id", "name", "external_id"
            )
        }
        answers = replies_by_message((row.dispatch_id, row.pk) for row in rows)
        shown = show_many([(dispatches[row.dispatch_id], row) for row in rows])
        urls = urls_of(dispatches.values())
        items = {
            channel: [
                Arrived(
                    row=row,
                    rendered=for_staff(shown[row.reference])[0] if row.reference in shown else None,
                    name=names.get(row.customer_id, ""),
                    dispatch=dispatches[row.dispatch_id],
                    links=tracked_links(
                        dispatches[row.dispatch_id],
                        row,
                        urls.get(dispatches[row.dispatch_id].template_version_id or 0, ()),
                    ),
                    answers=answers.get(row.reference, []),
                )
                for row in kept
            ]
            for channel, kept in by_channel.items()
        }
        return super().get_context_data(
            mails=items.get(Channel.EMAIL, []),
            phones=[(name, name.label, items[name]) for name in PHONES if name in items],
            empty=not rows,
            may_reply=self.request.user.has_perm("messaging.reply_in_sandbox"),
            **kwargs,
        )


SAID = {
    InboundMessage.Meaning.TEXT: gettext_lazy("The reply came in. Open the message to see where it went."),
    InboundMessage.Meaning.STOP: gettext_lazy("The reply came in: no more offers go to this contact point."),
    InboundMessage.Meaning.START: gettext_lazy(
        "The reply came in: what an earlier reply closed is open again."
    ),
}


class SandboxReply(PageMixin):
    """A POST with what the customer would answer to one message of the sandbox."""

    permission_required = ("messaging.view_delivery", "messaging.reply_in_sandbox")

    def post(self, request: HttpRequest, reference: str) -> HttpResponse:
        dispatch, delivery = message_or_404(reference)
        try:
            reply = reply_in_sandbox(
                dispatch_id=dispatch.pk, delivery_id=delivery.pk, text=request.POST.get("text", "")
            )
            messages.success(request, SAID[InboundMessage.Meaning(reply.meaning)])
        except Refused as refusal:
            messages.error(request, str(refusal))
        if request.POST.get("back") == "message":
            return redirect("admin:messaging_delivery_page", delivery.reference)
        return redirect("admin:messaging_delivery_sandbox")
