"""What stood behind a gate that skipped a message: which hold, which suppression, which consent.

None of it is written down with the message: consent records are append-only, and holds and suppressions keep
their beginning and end, so the moment of the skip says which one it was.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from notifyhub.core.registry import origins
from notifyhub.core.templatetags.nh import fact_time
from notifyhub.customers.choices import SOURCES
from notifyhub.customers.models import ConsentRecord, ContactPoint, Customer, Hold, Suppression, Topic
from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.engine.plan_sql import SUBJECT_HOLD_EXEMPT
from notifyhub.messaging.models import Delivery, Dispatch, DispatchItem
from notifyhub.messaging.services.chains.wording import channel_label

Reason = Delivery.Reason


@dataclass(frozen=True, kw_only=True)
class Skip:
    """What a gate refused: over which channel, for which reason, at which moment and contact point."""

    reason: str
    channel: str
    at: datetime
    contact_id: int | None = None


def grounds_of(dispatch: Dispatch, delivery: Delivery, skip: Skip | None = None) -> str:
    """Return what was behind a skip as part of a sentence; "" if nothing of that is on record.

    It is the message's own, unless `skip` names that of another step of its chain.
    """
    if skip is None:
        if delivery.settled_at is None:
            return ""
        skip = Skip(
            reason=delivery.reason,
            channel=delivery.channel,
            at=delivery.settled_at,
            contact_id=delivery.contact_id,
        )
    if skip.reason == Reason.HOLD:
        return _hold(dispatch, delivery, skip)
    if skip.reason == Reason.SUPPRESSED:
        return _suppression(dispatch, skip)
    if skip.reason in (Reason.OPTED_OUT, Reason.NO_CONSENT) and dispatch.topic is not None:
        return _consent(dispatch.topic, delivery, skip)
    if skip.reason == Reason.INVALID_CONTACT:
        return _invalid(skip)
    return ""


def _clock(moment: datetime) -> str:
    return strip_tags(str(fact_time(moment)))


def _person(delivery: Delivery) -> list[int]:
    """Return the customer of the message, and whom they were merged into."""
    rows = Customer.objects.filter(pk=delivery.customer_id).values_list("pk", "merged_into_id")
    return [number for row in rows for number in row if number is not None]


def _hold(dispatch: Dispatch, delivery: Delivery, skip: Skip) -> str:
    found = _holds_then(dispatch, delivery, skip).select_related("placed_by").order_by("placed_at")
    hold = found.first()
    if hold is None:
        return ""
    if hold.scope == Hold.Scope.CHANNEL:
        what = channel_label(hold.scope_value)
    elif hold.scope == Hold.Scope.TOPIC:
        what = str(Topic.objects.filter(code=hold.scope_value).first() or hold.scope_value)
    else:
        what = hold.scope_value or str(hold.get_scope_display())
    facts = {"what": what, "at": _clock(hold.placed_at), "who": _placed_by(hold)}
    said = _("a hold on %(what)s was in force, placed at %(at)s by %(who)s") % facts
    if hold.released_at is not None:
        return _("%(found)s and released at %(at)s") % {"found": said, "at": _clock(hold.released_at)}
    return said


def _placed_by(hold: Hold) -> str:
    if hold.placed_by is not None:
        return str(hold.placed_by)
    if hold.origin_kind == "staff":
        return _("the system")
    origin = origins.get(hold.origin_kind)
    return f"{origin.label if origin else hold.origin_kind} {hold.origin_id}".strip()


def _holds_then(dispatch: Dispatch, delivery: Delivery, skip: Skip) -> QuerySet[Hold]:
    """Return the holds that stopped this dispatch for its customer at that moment, as the gates ask."""
    meant = Q(pk__in=[])
    if dispatch.message_class == MessageClass.PROMOTIONAL:
        meant |= Q(scope=Hold.Scope.PROMOTIONS) | Q(scope=Hold.Scope.CHANNEL, scope_value=skip.channel)
        if dispatch.topic is not None:
            meant |= Q(scope=Hold.Scope.TOPIC, scope_value=dispatch.topic.code)
    subject = _subject(dispatch, delivery)
    if subject and dispatch.origin_kind not in SUBJECT_HOLD_EXEMPT:
        meant |= Q(scope=Hold.Scope.SUBJECT, scope_value=subject)
    then = Q(released_at=None) | Q(released_at__gt=skip.at), Q(ends_at=None) | Q(ends_at__gt=skip.at)
    return Hold.objects.filter(meant, *then, customer_id__in=_person(delivery), placed_at__lte=skip.at)


def _subject(dispatch: Dispatch, delivery: Delivery) -> str:
    items = DispatchItem.objects.filter(dispatch=dispatch, item=delivery.dedup_key)
    own = items.values_list("subject_ref", flat=True).first() if _names_items(dispatch) else ""
    return own or dispatch.subject_ref


def _names_items(dispatch: Dispatch) -> bool:
    return bool(dispatch.audience.get("kind") == "items")


def _suppression(dispatch: Dispatch, skip: Skip) -> str:
    contact = ContactPoint.objects.filter(pk=skip.contact_id or 0).only("kind", "value_hash").first()
    if contact is None:
        return ""
    scopes = [Suppression.Scope.ALL]
    if dispatch.message_class == MessageClass.PROMOTIONAL:
        scopes.append(Suppression.Scope.PROMOTIONAL)
    rows = Suppression.objects.filter(
        Q(lifted_at=None) | Q(lifted_at__gt=skip.at),
        value_hash=contact.value_hash,
        kind=contact.kind,
        scope__in=scopes,
        created_at__lte=skip.at,
    )
    # The wider one is looked at first, as the gates do.
    widest = Case(When(scope=Suppression.Scope.ALL, then=Value(0)), default=1, output_field=IntegerField())
    found = rows.order_by(widest, "created_at").first()
    if found is None:
        return ""
    facts = {
        "scope": str(found.get_scope_display()).lower(),
        "reason": str(found.get_reason_display()).lower(),
        "at": _clock(found.created_at),
    }
    said = _("their contact point was suppressed at %(at)s for %(scope)s: %(reason)s") % facts
    return f"{said} ({found.note})" if found.note else said


def _consent(topic: Topic, delivery: Delivery, skip: Skip) -> str:
    records = ConsentRecord.objects.filter(
        customer_id__in=_person(delivery), topic=topic, channel=skip.channel
    ).order_by("recorded_at", "id")
    facts = {"topic": str(topic), "channel": channel_label(skip.channel)}
    if skip.reason == Reason.NO_CONSENT:
        said = _("they have not opted in to %(topic)s on %(channel)s: no decision was on record") % facts
        later = records.filter(recorded_at__gt=skip.at).first()
        if later is None:
            return said
        return _("%(found)s; “%(decision)s” was recorded later, at %(at)s") % {
            "found": said,
            "decision": later.get_decision_display(),
            "at": _clock(later.recorded_at),
        }
    found = records.filter(recorded_at__lte=skip.at).last()
    if found is None:
        return ""
    return _("they opted out of %(topic)s on %(channel)s at %(at)s (%(source)s)") % {
        **facts,
        "at": _clock(found.given_at),
        "source": SOURCES.get(found.source, found.source),
    }


def _invalid(skip: Skip) -> str:
    contact = ContactPoint.objects.filter(pk=skip.contact_id or 0).defer("value").first()
    if contact is None or contact.invalid_since is None or contact.invalid_since > skip.at:
        return ""
    return _("the contact point is not in service since %(at)s (%(reason)s)") % {
        "at": _clock(contact.invalid_since),
        "reason": contact.get_invalid_reason_display() or "—",
    }
