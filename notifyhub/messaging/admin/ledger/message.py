"""The page of one message: the answer first, then who asked for it, what happened, what it said."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from notifyhub.core.admin import PageMixin
from notifyhub.core.registry import delivery_panels
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.admin.templates.preview import frame_response, plain_page
from notifyhub.messaging.looks import CHANNEL_ICONS, CLASS_TONES, STATE_TONES
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch, Link, ProviderAccount
from notifyhub.messaging.services.chains import LeftOut, Told, steps_left_out, tell_steps
from notifyhub.messaging.services.copies import unpack_and_show
from notifyhub.messaging.services.digests.telling import gathered_by, whereabouts
from notifyhub.messaging.services.findings import (
    answer_words,
    detour_words,
    finding_words,
    morning_words,
)
from notifyhub.messaging.services.grounds import grounds_of
from notifyhub.messaging.services.ledger import (
    events_of,
    find_message,
    neighbours_with_same_reason,
    origin_for,
    resolve_origins,
)
from notifyhub.messaging.services.previews import identity_for
from notifyhub.messaging.services.reasons import explain
from notifyhub.messaging.services.replies import ReplyLine, may_try, replies_to
from notifyhub.messaging.services.showing import for_staff

Kind = DeliveryEvent.Kind
KIND_LOOKS = {
    Kind.SENT: ("violet", "send"),
    Kind.DELIVERED: ("green", "check_circle"),
    Kind.FAILED: ("red", "error"),
    Kind.BOUNCED: ("red", "undo"),
    Kind.RETRY: ("orange", "refresh"),
    Kind.UNKNOWN: ("orange", "help"),
    Kind.DELAYED: ("grey", "bedtime"),
    Kind.READ: ("green", "visibility"),
    Kind.SKIPPED: ("grey", "skip_next"),
    Kind.EXPIRED: ("grey", "timer_off"),
    Kind.CANCELLED: ("grey", "cancel"),
    Kind.OPENED: ("green", "visibility"),
    Kind.CLICKED: ("green", "ads_click"),
    Kind.UNSUBSCRIBED: ("orange", "unsubscribe"),
    Kind.COMPLAINED: ("red", "report"),
    Kind.SETTLED: ("blue", "gavel"),
}


def message_or_404(reference: str) -> tuple[Dispatch, Delivery]:
    """Return the dispatch and the message; 404 for any name that is not one."""
    found = find_message(reference)
    if found is None:
        raise Http404
    return found


def request_line(dispatch: Dispatch, origin: tuple[str, str]) -> list[tuple[str, str, str]]:
    """Return (what, who, link) in the order of the one line: asked for, written, approved, triggered."""
    version = dispatch.template_version
    author = dispatch.author or (str(version.created_by) if version and version.created_by else "")
    team = dispatch.owner_team
    asked = f"{team} ({team.get_department_display()})" if team else str(dispatch.owner or "")
    return [
        (_("Asked for by"), asked or "—", ""),
        (_("written by"), author or "—", ""),
        (_("approved by"), dispatch.approved_by or _("nobody; no approval was needed"), ""),
        (_("triggered by"), dispatch.shown_trigger or origin[0], origin[1]),
    ]


def clicked_addresses(dispatch: Dispatch, events: list[DeliveryEvent]) -> dict[int, str]:
    """Return {event: where the link that was clicked leads}; the event keeps the number of the link alone."""
    clicks = {one.pk: one.code for one in events if one.kind == Kind.CLICKED and one.code.isdecimal()}
    if not clicks:
        return {}
    links = Link.objects.filter(template_version_id=dispatch.template_version_id)
    urls = {str(number): url for number, url in links.values_list("number", "url")}
    return {pk: urls[code] for pk, code in clicks.items() if code in urls}


def _finding(
    dispatch: Dispatch, delivery: Delivery, events: list[DeliveryEvent], words: dict[int, str]
) -> str:
    """Return what explains the present state in words: the numbers of a limit, or what a gate found."""
    if delivery.state == Delivery.State.SKIPPED and (found := grounds_of(dispatch, delivery)):
        return found
    if not events:
        if delivery.state == Delivery.State.PLANNED and delivery.send_at > dispatch.send_at:
            return morning_words(delivery)
        return ""
    waits = delivery.state == Delivery.State.PLANNED and events[-1].kind == Kind.DELAYED
    if waits or delivery.state == Delivery.State.SKIPPED:
        return words[events[-1].pk]
    return ""


def _chain_of(dispatch: Dispatch, delivery: Delivery) -> list[Told | LeftOut]:
    """Return the person's steps in order, with those that were left out between them."""
    told = tell_steps(dispatch=dispatch, delivery=delivery)
    left = steps_left_out(dispatch=dispatch, rows=[one.delivery for one in told])
    return sorted([*told, *left], key=lambda step: step.number)


class MessagePage(PageMixin, TemplateView):
    """One message."""

    template_name = "messaging/ledger/message.html"
    permission_required = "messaging.view_delivery"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        dispatch, delivery = message_or_404(self.kwargs["reference"])
        customer = Customer.objects.filter(pk=delivery.customer_id).first()
        self.title = dispatch.shown_title
        self.crumbs = [
            (_("Messages"), reverse("admin:messaging_delivery_changelist")),
            (self.title, self._dispatch_url(dispatch)),
            (delivery.reference, ""),
        ]
        rendered, switched_off = unpack_and_show(dispatch, delivery), False
        if rendered is not None:
            rendered, switched_off = for_staff(rendered)
        events = events_of(delivery)
        accounts = ProviderAccount.objects.in_bulk(
            {one.account_id for one in events if one.account_id} | {delivery.account_id or 0}
        )
        found = resolve_origins([dispatch]).get(dispatch.pk, ("", ""))
        origin = origin_for(self.request.user, dispatch.origin_kind, found)
        addresses = clicked_addresses(dispatch, events)
        found_words = {
            one.pk: finding_words(code=one.code, detail=one.detail, message_class=dispatch.message_class)
            for one in events
        }
        steps = [
            (
                one,
                *KIND_LOOKS.get(Kind(one.kind), ("grey", "circle")),
                accounts.get(one.account_id or 0),
                addresses.get(one.pk) or found_words[one.pk] or answer_words(one),
                # A thing of the past, on the line of its time.
                _("Not taken, to be tried again") if one.kind == Kind.RETRY else one.get_kind_display(),
            )
            for one in events
        ]
        mail_url = ""
        if delivery.channel == Channel.EMAIL and rendered is not None and rendered.html:
            mail_url = reverse("admin:messaging_delivery_mail", args=[delivery.reference])
        return super().get_context_data(
            dispatch=dispatch,
            delivery=delivery,
            customer=customer,
            contact=ContactPoint.objects.filter(pk=delivery.contact_id or 0).defer("value").first(),
            explanation=explain(
                delivery=delivery,
                customer=str(customer or _("This customer")),
                finding=_finding(dispatch, delivery, events, found_words),
                detour=detour_words(events, {pk: account.name for pk, account in accounts.items()}),
            ),
            state_tone=STATE_TONES[delivery.state],  # type: ignore[index]
            class_tone=CLASS_TONES[dispatch.message_class],  # type: ignore[index]
            channel_icon=CHANNEL_ICONS[Channel(delivery.channel)],
            line=request_line(dispatch, origin),
            steps=steps,
            replies=self._replies(delivery),
            told=_chain_of(dispatch, delivery),
            whereabouts=whereabouts(delivery),
            gathered=gathered_by(dispatch, delivery, self.request.user),
            same=neighbours_with_same_reason(delivery),
            may_settle=delivery.state == Delivery.State.UNKNOWN
            and self.request.user.has_perm("messaging.settle_delivery"),
            may_reply=may_try(account=accounts.get(delivery.account_id or 0), viewer=self.request.user),
            rendered=rendered,
            switched_off=switched_off,
            mail_url=mail_url,
            identity=identity_for(channel=delivery.channel, message_class=dispatch.message_class),
            panels=[
                (name, panel)
                for name, panel in delivery_panels.items()
                if not panel.permission or self.request.user.has_perm(panel.permission)
            ],
            **kwargs,
        )

    def _replies(self, delivery: Delivery) -> list[ReplyLine]:
        if not self.request.user.has_perm("messaging.view_inboundmessage"):
            return []
        return replies_to(dispatch_id=delivery.dispatch_id, delivery_id=delivery.pk, viewer=self.request.user)

    def _dispatch_url(self, dispatch: Dispatch) -> str:
        if not self.request.user.has_perm("messaging.view_dispatch"):
            return ""
        return reverse("admin:messaging_dispatch_change", args=[dispatch.pk])


class MailFrame(PageMixin):
    """The mail as it was sent, for a sandboxed frame."""

    permission_required = "messaging.view_delivery"

    def get(self, request: HttpRequest, reference: str) -> HttpResponse:
        dispatch, delivery = message_or_404(reference)
        rendered = unpack_and_show(dispatch, delivery)
        if rendered is None or not rendered.html:
            return frame_response(plain_page(_("Nothing to show.")))
        return frame_response(for_staff(rendered)[0].html or "")


class MessagePanel(PageMixin):
    """What an upper app shows on a message's page, loaded on its own."""

    permission_required = "messaging.view_delivery"

    def get(self, request: HttpRequest, reference: str, name: str) -> HttpResponse:
        panel = delivery_panels.get(name)
        if panel is None or (panel.permission and not request.user.has_perm(panel.permission)):
            raise Http404
        _dispatch, delivery = message_or_404(reference)
        return HttpResponse(panel.render(request, delivery))
