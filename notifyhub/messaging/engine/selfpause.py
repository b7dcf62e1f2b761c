"""A dispatch that goes wrong pauses itself, says why, and waits for a person.

What a person accepted by resuming is noted on the dispatch (`tolerated`): it goes on until as much again has
gone wrong.
"""

from collections.abc import Iterable

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.engine.alarms import tell_operations
from notifyhub.messaging.engine.counts import Counts, count_dispatches
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.staff.services import audit

Reason = Delivery.Reason

# So many messages that cannot be made are no accident of one customer's data.
BROKEN = (Reason.RENDER_ERROR, Reason.POISON)
BROKEN_AT = 100
# Shares of what providers answered, from a sample that says something. A mailbox provider that sees more
# stops listening to the sender altogether.
SAMPLE = 500
BOUNCE_PERCENT = 5.0
COMPLAINT_PERCENT = 0.3
# Keys of `tolerated` beside the reasons.
ANSWERS, BOUNCES, COMPLAINTS = "answers", "bounces", "complaints"

_COMPLAINTS = f"""
SELECT e.dispatch_id, count(DISTINCT e.delivery_id) FROM messaging_deliveryevent e
WHERE e.kind = '{DeliveryEvent.Kind.COMPLAINED.value}' AND e.dispatch_id = ANY(%(ids)s)
  AND e.at >= (SELECT min(j.created_at) FROM messaging_dispatch j WHERE j.id = ANY(%(ids)s))
GROUP BY e.dispatch_id
"""

_WORDS = {
    Reason.RENDER_ERROR: _("The text of {count} messages could not be filled in."),
    Reason.POISON: _("{count} messages stopped their workers."),
    BOUNCES: _("Providers refused {count} messages for good, more than {percent}%."),
    COMPLAINTS: _("{count} customers complained, more than {percent}%."),
}


def pause_failing(ids: Iterable[int], counts: dict[int, Counts] | None = None) -> int:
    """Pause those of the dispatches that go wrong too often; return how many that were.

    `counts` are theirs if they have been counted just now.
    """
    asked = list(ids)
    rows = Dispatch.objects.filter(pk__in=asked, state=Dispatch.State.RUNNING)
    running = list(rows.select_related("owner"))
    if not running:
        return 0
    found = counts if counts is not None else count_dispatches([one.pk for one in running])
    complaints = _complaints([one.pk for one in running if one.message_class == MessageClass.PROMOTIONAL])
    paused = 0
    for dispatch in running:
        numbers = found.get(dispatch.pk)
        if numbers is None or not numbers.batches_open:
            continue
        why = _why(dispatch, tally(numbers, complaints.get(dispatch.pk, 0)))
        if why is not None and _pause(dispatch, why):
            paused += 1
    return paused


def tally(counts: Counts, complaints: int) -> dict[str, int]:
    """Return what has gone wrong so far, by the keys of `tolerated`."""
    wrong = {str(reason): counts.reasons.get(reason, 0) for reason in BROKEN}
    # What bounced later bears the same reason as what was refused at once.
    refused = counts.reasons.get(Reason.REJECTED, 0)
    return {
        **wrong,
        BOUNCES: refused,
        COMPLAINTS: complaints,
        ANSWERS: counts.sent + refused,
    }


def tolerated_now(dispatch_id: int) -> dict[str, int]:
    """Return what a person accepts who lets the dispatch go on now."""
    counts = count_dispatches([dispatch_id]).get(dispatch_id, Counts())
    return tally(counts, _complaints([dispatch_id]).get(dispatch_id, 0))


def _complaints(ids: list[int]) -> dict[int, int]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_COMPLAINTS, {"ids": ids})
        return dict(cursor.fetchall())


def _why(dispatch: Dispatch, tally: dict[str, int]) -> Promise | None:
    """Return why the dispatch must stop, in words that know no language yet, or None."""
    fresh = {key: count - int(dispatch.tolerated.get(key, 0)) for key, count in tally.items()}
    for reason in BROKEN:
        if fresh[reason] >= BROKEN_AT:
            return format_lazy(_WORDS[reason], count=tally[reason])
    if dispatch.message_class == MessageClass.PROMOTIONAL and fresh[ANSWERS] >= SAMPLE:
        for key, percent in ((BOUNCES, BOUNCE_PERCENT), (COMPLAINTS, COMPLAINT_PERCENT)):
            if fresh[key] * 100 >= percent * fresh[ANSWERS]:
                return format_lazy(_WORDS[key], count=tally[key], percent=f"{percent:g}")
    return None


@transaction.atomic
def _pause(dispatch: Dispatch, why: Promise) -> bool:
    """Pause the dispatch unless somebody was faster; tell its owner and operations."""
    # Whoever asked for it reads it first.
    with translation.override((dispatch.owner and dispatch.owner.language) or settings.LANGUAGE_CODE):
        words = str(why)
    rows = Dispatch.objects.filter(pk=dispatch.pk)
    if not Dispatch.FLOW.advance(rows, to=Dispatch.State.PAUSED, pause_reason=words[:200]):
        return False
    audit.record(verb="pause_dispatch", obj=dispatch, reason=words[:200])
    tell_operations(
        title=format_lazy(_("“{title}” paused itself"), title=dispatch.shown_title[:120]),
        body=format_lazy(_("{why} Look at it; resuming accepts what happened so far."), why=why),
        level="warning",
        dedup=f"paused-{dispatch.pk}-{timezone.now():%Y%m%d%H%M%S}",
        owner_id=dispatch.owner_id,
    )
    return True
