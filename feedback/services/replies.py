"""Answers to the customer: they go out through messaging, and the ledger says what became of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, CaseState, Interaction, Metric
from feedback.models.flow import OPEN_STATES
from feedback.services import clocks, drafts, news
from feedback.services.channels import ChannelChoice, channel_choices
from feedback.services.contacting import count_contact
from feedback.services.transitions import change_case, lock_case, may_pull, record_event, transition
from notifyhub.core.errors import Refused
from notifyhub.messaging.models import Delivery
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import Item, create_dispatch
from notifyhub.staff.models import User

Sending = Interaction.Sending
SAME_WITHIN = timedelta(seconds=60)
MAX_BODY = 4000
UNDER_WAY = (Sending.QUEUED, Sending.SENT, Sending.UNKNOWN)
# A receipt that has not come by then will not change what the thread says.
WATCH_RECEIPTS = timedelta(days=3)

_STATES = {
    Delivery.State.PLANNED: Sending.QUEUED,
    Delivery.State.UNKNOWN: Sending.UNKNOWN,
    Delivery.State.SENT: Sending.SENT,
    Delivery.State.DELIVERED: Sending.DELIVERED,
}


@transaction.atomic
def reply(
    *, case_id: int, actor: User, body: str, channel: str, version: int | None, subject: str = ""
) -> Interaction:
    """Send `body` to the customer and return the new line of the thread, still queued.

    A new case, or one without an owner, becomes the actor's. Raises Conflict on a stale version, Refused
    with its field when the text or the channel cannot be.
    """
    case = lock_case(case_id, version=version)
    _refuse_reply(case, actor)
    body = body.strip()
    choice = _channel(case, channel)
    _refuse_text(case, body)
    now = timezone.now()
    said = {"last_agent_at": now, "unanswered": False}
    if case.owner_id is None:
        said |= {"owner": actor, "owned_at": now}
    if case.state == CaseState.NEW:
        case = transition(case_id=case_id, trigger="first_reply", actor=actor, changes=said)
    line = Interaction.objects.create(
        case=case,
        origin_case=case,
        cycle=case.cycle,
        direction=Interaction.Direction.OUT,
        kind=Interaction.Kind.REPLY,
        at=now,
        author=actor,
        subject=(subject.strip() or _("About your case %s") % case.number)[:200],
        body=body,
        channel=choice.code,
        sent_to=choice.masked,
        state=Sending.QUEUED,
        state_at=now,
    )
    _send(case, line, actor)
    count_contact(case)
    change_case(
        case_id=case_id,
        kind="reply",
        actor=actor,
        changes=said,
        data={"interaction": line.pk, "channel": choice.code},
    )
    drafts.drop_draft(case_id=case_id, user=actor)
    return line


def _refuse_reply(case: Case, actor: User) -> None:
    if case.state not in OPEN_STATES:
        raise Refused(_("This case is finished. Open it again to write to the customer."), field="body")
    if case.customer_id is None:
        raise Refused(_("Say first which customer this case belongs to."), field="body")
    mine = case.owner_id is None or case.owned_by(actor) or actor.has_perm("feedback.assign_case")
    if not (mine and actor.has_perm("feedback.change_case")):
        raise Refused(
            _("%s owns this case. Leave an internal note, or ask a lead to assign it to you.") % case.owner,
            field="body",
        )
    if case.state == CaseState.NEW and not may_pull(case, "first_reply", actor):
        raise Refused(_("Claim the case first."), field="body")


def _channel(case: Case, channel: str) -> ChannelChoice:
    choices = channel_choices(case.customer)
    for choice in choices:
        if choice.code == channel:
            if choice.available:
                return choice
            raise Refused(
                _("%(channel)s cannot reach this customer (%(reason)s). Choose another channel.")
                % {"channel": choice.label, "reason": choice.reason},
                field="channel",
            )
    raise Refused(_("Choose a channel that reaches this customer."), field="channel")


def _refuse_text(case: Case, body: str) -> None:
    if not body:
        raise Refused(_("Write the answer first."), field="body")
    if len(body) > MAX_BODY:
        raise Refused(_("Shorten the answer to %d characters.") % MAX_BODY, field="body")
    if "{{" in body or "{%" in body:
        raise Refused(_("Fill in or remove what stands in {{ }}; customers would see it."), field="body")
    recent = Interaction.objects.filter(case=case, kind=Interaction.Kind.REPLY, body=body)
    if recent.filter(at__gte=timezone.now() - SAME_WITHIN).exists():
        raise Refused(_("You have sent exactly this within the last minute."), field="body")


def _send(case: Case, line: Interaction, actor: User) -> None:
    assert case.customer_id is not None, "refused before"
    dispatch = create_dispatch(
        # Shown in the words of whoever reads it; see the origin.
        title=case.number,
        origin_kind="case",
        origin_id=case.number,
        message_class="transactional",
        chain=[{"channel": line.channel}],
        audience={"kind": "items"},
        items=[Item(item=line.pk, customer_id=case.customer_id, contact_id=None, variables={})],
        text={"subject": line.subject, "body": line.body},
        priority=Priority.REALTIME,
        subject_ref=case.subject_ref,
        owner=actor,
        owner_team=case.team,
        author=str(actor),
    )
    Interaction.objects.filter(pk=line.pk).update(dispatch_id=dispatch.pk)


@transaction.atomic
def retry_reply(*, interaction_id: int, case_id: int, actor: User, channel: str = "") -> Interaction:
    """Send a failed answer again, by another channel if one is named; return its line."""
    case = lock_case(case_id)
    line = Interaction.objects.filter(pk=interaction_id, case=case, kind=Interaction.Kind.REPLY).first()
    if line is None:
        raise Refused(_("This message does not belong to the case."))
    settle_replies(dispatch_ids=[line.dispatch_id or 0])
    line.refresh_from_db()
    if line.state != Sending.FAILED:
        raise Refused(_("This message has not failed; look at its state again."))
    _refuse_reply(case, actor)
    choice = _channel(case, channel or line.channel)
    old = line.dispatch_id
    now = timezone.now()
    Interaction.objects.filter(pk=line.pk).update(
        channel=choice.code, sent_to=choice.masked, state=Sending.QUEUED, state_reason="", state_at=now
    )
    line.refresh_from_db()
    _send(case, line, actor)
    changes = {"failed_replies": F("failed_replies") - 1, "last_agent_at": now, "unanswered": False}
    data = {"interaction": line.pk, "channel": choice.code, "before": old}
    change_case(case_id=case.pk, kind="retry", actor=actor, changes=changes, data=data)
    line.refresh_from_db()
    return line


def _news(dispatch_ids: Iterable[int]) -> dict[int, tuple[str, str, datetime | None, datetime | None]]:
    """Return (state, reason, handed over at, since) of each dispatch of one, as the ledger knows it now."""
    found: dict[int, tuple[str, str, datetime | None, datetime | None]] = {}
    rows = Delivery.objects.filter(dispatch_id__in=list(dispatch_ids)).order_by("dispatch_id", "step", "id")
    for row in rows:
        state = _STATES.get(Delivery.State(row.state), Sending.FAILED)
        if state == Sending.DELIVERED and row.read_at:
            state = Sending.READ
        since = row.read_at or row.delivered_at or row.settled_at
        found[row.dispatch_id] = (state, row.reason, row.settled_at or row.delivered_at, since)
    return found


def show_ledger_state(lines: Sequence[Interaction]) -> None:
    """Put what the ledger says now on the lines shown, in one query and without writing."""
    open_lines = [line for line in lines if line.dispatch_id and line.state in UNDER_WAY]
    news_now = _news([line.dispatch_id or 0 for line in open_lines]) if open_lines else {}
    for line in open_lines:
        if line.dispatch_id in news_now:
            line.state, line.state_reason, _handed, since = news_now[line.dispatch_id]
            line.state_at = since or line.state_at


def settle_replies(*, dispatch_ids: Iterable[int]) -> int:
    """Copy the ledger's news of these dispatches onto their lines; return how many lines changed.

    A hand-over meets the first-reply clock at the time it happened; a failure is flagged on the case and
    told to its owner. Doing it twice changes nothing.
    """
    changed = 0
    lines = Interaction.objects.filter(dispatch_id__in=list(dispatch_ids), state__in=UNDER_WAY)
    known = list(lines.only("pk", "case_id", "dispatch_id", "state"))
    if not known:
        return 0
    ledger = _news([line.dispatch_id for line in known if line.dispatch_id])
    for line in known:
        found = ledger.get(line.dispatch_id or 0)
        if found and found[0] != line.state:
            changed += _settle(line, *found)
    return changed


@transaction.atomic
def _settle(
    line: Interaction, state: str, reason: str, handed_at: datetime | None, since: datetime | None
) -> int:
    case = lock_case(line.case_id)
    moved = Interaction.objects.filter(pk=line.pk, state=line.state, dispatch_id=line.dispatch_id).update(
        state=state, state_reason=reason, state_at=since or timezone.now()
    )
    if not moved:
        return 0
    if state in Interaction.HANDED_OVER:
        clocks.stop_clocks(case.pk, Metric.FIRST_REPLY, at=handed_at or timezone.now())
        clocks.show_next_due([case.pk])
    elif state == Sending.FAILED:
        Case.objects.filter(pk=case.pk).update(failed_replies=F("failed_replies") + 1)
        record_event(case, "reply_failed", None, data={"interaction": line.pk, "reason": reason})
        title = _("Your reply in %s was not delivered") % case.number
        news.tell_owner(case, title, level="warning", dedup=f"reply-failed:{line.pk}:{line.dispatch_id}")
    return 1


def settle_open_replies() -> int:
    """Ask the ledger about every answer under way, since a signal may be lost; return how many changed."""
    since = timezone.now() - WATCH_RECEIPTS
    rows = Interaction.objects.filter(state__in=UNDER_WAY, state_at__gte=since, dispatch_id__isnull=False)
    changed = 0
    ids = list(rows.order_by("state_at").values_list("dispatch_id", flat=True))
    for start in range(0, len(ids), 500):
        changed += settle_replies(dispatch_ids=[pk for pk in ids[start : start + 500] if pk])
    return changed
