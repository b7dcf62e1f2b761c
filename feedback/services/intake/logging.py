"""Opening a case."""

import hashlib
import unicodedata
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, CaseState, Category, Interaction, Metric, Severity
from feedback.models.flow import BY_TRIGGER
from feedback.services import clocks, holds, news, telling
from feedback.services.contacting import count_contact
from feedback.services.intake.callers import Caller, caller_of, find_customer, read_caller
from feedback.services.numbers import draw_number
from feedback.services.transitions import record_event
from feedback.services.triage import raise_severity
from notifyhub.core.contact import digits_of
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer
from notifyhub.staff.models import Team, User

SUMMARY = (5, 120)
SERIOUS_DETAIL = 20


@transaction.atomic
def log_case(
    *,
    actor: User | None,
    category_id: int | None,
    summary: str,
    phone: str = "",
    customer_id: int | None = None,
    kind: str = Case.Kind.COMPLAINT,
    source: str = Case.Source.PHONE,
    caller_relation: str = Case.Caller.SELF,
    order_number: str = "",
    detail: str = "",
    remedy_sought: str = "",
    call_started_at: datetime | None = None,
    external_ref: str = "",
    delivery_ref: str = "",
    delivery_line: str = "",
    channel: str = "",
) -> Case:
    """Open a case and return it: OPEN and the actor's if an agent logs it, NEW without one (actor None).

    An unknown number makes a provisional customer. Raises Refused with the field to correct.
    """
    summary, detail = _clean(summary, 200), _clean(detail, 8000)
    category = (
        Category.objects.filter(pk=category_id or 0, active=True).select_related("parent__parent").first()
    )
    caller = read_caller(phone) if phone and not (customer_id and len(digits_of(phone)) < 5) else None
    if caller is None and customer_id is None:
        raise Refused(_("Type the caller's number, or choose the customer."), field="phone")
    if category is None:
        raise Refused(_("Choose a category: press 1 to 8."), field="category")
    if not SUMMARY[0] <= len(summary) <= SUMMARY[1]:
        raise Refused(
            _("Write %(least)d to %(most)d characters.") % {"least": 5, "most": 120}, field="summary"
        )
    _refuse_choice(Case.Kind, kind, "kind")
    _refuse_choice(Case.Source, source, "source")
    _refuse_choice(Case.Caller, caller_relation, "caller_relation")
    if remedy_sought:
        _refuse_choice(Case.Remedy, remedy_sought, "remedy_sought")
    severity, word = raise_severity(severity=category.severity, text=f"{summary} {detail}")
    # Whoever speaks with the customer can ask; what comes in by itself is taken as it is.
    if actor is not None and severity in (Severity.S1, Severity.S2) and len(detail) < SERIOUS_DETAIL:
        raise Refused(
            _("%(severity)s needs at least %(least)d characters of detail.")
            % {"severity": severity, "least": SERIOUS_DETAIL},
            field="detail",
        )
    _refuse_known_reference(source, _clean(external_ref, 80))
    now = timezone.now()
    customer = find_customer(customer_id, caller, ask=actor is not None)
    live = actor is not None and source == Case.Source.PHONE
    case = _create(
        now=now,
        actor=actor,
        customer=customer,
        caller=caller or caller_of(customer),
        category=category,
        kind=kind,
        source=source,
        severity=severity,
        caller_relation=caller_relation,
        summary=summary,
        detail=detail,
        remedy_sought=remedy_sought,
        order_number=_clean(order_number, 64),
        call_started_at=call_started_at if call_started_at and call_started_at <= now else None,
        external_ref=_clean(external_ref, 80),
        delivery_ref=delivery_ref[:40],
        delivery_line=delivery_line[:200],
    )
    _first_line(case, actor, live, now, channel)
    edge = BY_TRIGGER["log" if actor else "receive"]
    record_event(case, edge.trigger, actor, to_state=edge.to, data={"severity": severity, "word": bool(word)})
    clocks.start_clocks(case, now=now)
    if actor is not None:
        clocks.stop_clocks(case.pk, Metric.ACK, *([Metric.FIRST_REPLY] if live else []), at=now)
    clocks.show_next_due([case.pk])
    case.refresh_from_db()
    holds.sync_hold(case)
    news.tell_leads(case)
    telling.tell_opened(case)
    return case


def _clean(text: str, longest: int) -> str:
    return unicodedata.normalize("NFC", text or "").replace("\x00", "").strip()[:longest]


def _refuse_choice(choices: Any, value: str, field: str) -> None:
    if value not in choices.values:
        raise Refused(_("Choose one of the list."), field=field)


def _refuse_known_reference(source: str, reference: str) -> None:
    known = Case.objects.filter(source=source, external_ref=reference).first() if reference else None
    if known is not None:
        raise Refused(_("This is logged already as %s.") % known.number, field="external_ref")


def _team_of(category: Category, actor: User | None) -> Team | None:
    branch: Category | None = category
    while branch is not None:
        if branch.team_id:
            return branch.team
        branch = branch.parent
    if actor is None:
        return None
    return (
        Team.objects.filter(memberships__user=actor, department=Team.Department.SERVICE)
        .order_by("pk")
        .first()
    )


def _create(
    *,
    now: datetime,
    actor: User | None,
    customer: Customer | None,
    caller: Caller | None,
    category: Category,
    severity: str,
    **facts: Any,
) -> Case:
    full, seven = caller.hashes if caller else (None, None)
    order = facts["order_number"]
    day = timezone.localdate(now).isoformat()
    print_of = f"{customer.pk if customer else ''}|{category.pk}|{order}|{day}"
    return Case.objects.create(
        number=draw_number(now=now),
        customer=customer,
        contact_phone=caller.text if caller else None,
        contact_hash=full,
        contact_last7_hash=seven,
        contact_last4=caller.last4 if caller else "",
        contact_masked=caller.masked if caller else "",
        contact_verified=caller is None or caller.value is not None,
        subject_ref=f"order:{order}" if order else "",
        category=category,
        severity=severity,
        priority=severity.replace("S", "P"),
        owner=actor,
        owned_at=now if actor else None,
        team=_team_of(category, actor),
        state=CaseState.OPEN if actor else CaseState.NEW,
        last_customer_at=now,
        unanswered=actor is None,
        fingerprint=hashlib.sha256(print_of.encode()).hexdigest(),
        created_at=now,
        created_by=actor,
        **facts,
    )


def _first_line(case: Case, actor: User | None, live: bool, now: datetime, channel: str) -> None:
    """Write what the customer said as the first line of the thread."""
    Interaction.objects.create(
        case=case,
        origin_case=case,
        direction=Interaction.Direction.IN,
        kind=Interaction.Kind.CALL if live else Interaction.Kind.MESSAGE,
        at=case.call_started_at or now,
        author=actor,
        body=case.detail or case.summary,
        channel=channel,
    )
    if live:
        Case.objects.filter(pk=case.pk).update(last_agent_at=now)
        count_contact(case)
