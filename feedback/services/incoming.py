"""What a customer wrote by themselves, as a reply to a message of ours: into their case, or a new one."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from feedback.models import Case, CaseState, Category, Interaction
from feedback.services import news
from feedback.services.handling import reopen_case
from feedback.services.holds import ORIGIN
from feedback.services.intake import log_case
from feedback.services.transitions import lock_case, record_event, transition
from feedback.services.triage import says_thanks
from notifyhub.core.contact import digits_of
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.registry import ReplyFacts

CATEGORY = "other"
SOURCES = {Channel.SMS: Case.Source.SMS, Channel.EMAIL: Case.Source.EMAIL}
MAX_BODY = 8000
SUMMARY = 110
# Who holds a key down fills no thread: what is above that stands on the customer's timeline alone.
MOST_AN_HOUR = 40


@transaction.atomic
def take_reply(facts: ReplyFacts) -> tuple[str, str] | None:
    """Put a customer's reply into their case, or open one if the account's settings make work of it.

    Returns the case as an origin; None if the reply is nobody's work: then the timeline alone has it.
    """
    if not facts.text.strip():
        return None
    if facts.customer_id is not None:
        # Two numbers of one customer must not open two cases.
        Customer.objects.select_for_update().filter(pk=facts.customer_id).first()
    case, asked = _case_of(facts)
    if case is not None and case.is_open:
        return _attach(case, facts)
    thanks = says_thanks(facts.text)
    if case is not None and case.state == CaseState.RESOLVED and (asked or facts.opens_case):
        return _attach(case, facts, reopen=not thanks)
    if thanks or not (asked or facts.opens_case):
        return None
    return _open(facts, follow_up_of=case if asked else None)


def _case_of(facts: ReplyFacts) -> tuple[Case | None, bool]:
    """Return the case a reply belongs to, and whether it answers a message of that very case."""
    line = None
    if facts.dispatch_id is not None:
        line = Interaction.objects.filter(dispatch_id=facts.dispatch_id).select_related("case").first()
    if line is not None:
        case: Case | None = line.case
        while case is not None and case.merged_into_id:
            case = case.merged_into
        return case, True
    # By the number only where nobody knows yet whose case it is: several people may share one.
    theirs = Q(contact_hash=facts.contact_hash, customer_id=None)
    if facts.customer_id is not None:
        theirs |= Q(customer_id=facts.customer_id)
    rows = Case.objects.filter(theirs).defer("contact_phone").order_by("-created_at")
    found = rows.filter(state=CaseState.WAIT_CUSTOMER).first() or rows.open().first()
    if found is None:
        since = timezone.now() - Case.REOPEN_WITHIN
        found = rows.filter(state=CaseState.RESOLVED, resolved_at__gt=since).first()
    return found, False


def _attach(case: Case, facts: ReplyFacts, *, reopen: bool = False) -> tuple[str, str]:
    case = lock_case(case.pk)
    hour_ago = timezone.now() - timedelta(hours=1)
    said = Interaction.objects.filter(
        case=case, direction=Interaction.Direction.IN, kind=Interaction.Kind.MESSAGE, at__gt=hour_ago
    )
    if said.count() >= MOST_AN_HOUR:
        return ORIGIN, case.number
    if reopen:
        try:
            case = reopen_case(case_id=case.pk, actor=None, reason=facts.channel)
        except Refused:
            reopen = False
    line = Interaction.objects.create(
        case=case,
        origin_case=case,
        cycle=case.cycle,
        direction=Interaction.Direction.IN,
        kind=Interaction.Kind.MESSAGE,
        at=timezone.now(),
        body=_clean(facts.text)[:MAX_BODY],
        channel=facts.channel,
    )
    record_event(case, "message", None, data={"interaction": line.pk, "reply": facts.reply_id})
    if case.state == CaseState.WAIT_CUSTOMER:
        case = transition(case_id=case.pk, trigger="customer_replied", actor=None)
    news_of_case: dict[str, Any] = {"last_customer_at": line.at}
    if case.is_open:
        news_of_case["unanswered"] = True
        title = _("%(number)s: the customer replied") % {"number": case.number}
        news.tell_owner(case, title, dedup=f"case-reply:{case.pk}")
    Case.objects.filter(pk=case.pk).update(**news_of_case)
    return ORIGIN, case.number


def _open(facts: ReplyFacts, *, follow_up_of: Case | None) -> tuple[str, str] | None:
    """Open a case in the triage queue; return None where nobody can be found who wrote."""
    text = _clean(facts.text)
    channel = Channel(facts.channel)
    phone = facts.sender if channel == Channel.SMS and len(digits_of(facts.sender)) >= 5 else ""
    category = Category.objects.filter(code=CATEGORY, active=True).first()
    category = category or Category.objects.filter(active=True, parent=None).order_by("-position").first()
    if category is None or not (phone or facts.customer_id):
        return None
    case = log_case(
        actor=None,
        category_id=category.pk,
        summary=f"{channel.label}: {' '.join(text.split())}"[:SUMMARY],
        detail=text[:MAX_BODY],
        phone=phone,
        customer_id=facts.customer_id,
        kind=Case.Kind.ENQUIRY,
        source=SOURCES.get(channel, Case.Source.CHAT),
        external_ref=f"reply-{facts.reply_id}",
        delivery_ref=facts.answers,
        delivery_line=facts.title,
        channel=channel,
    )
    if follow_up_of is not None:
        Case.objects.filter(pk=case.pk).update(follow_up_of=follow_up_of)
    return ORIGIN, case.number


def _clean(text: str) -> str:
    return "".join(one for one in text if one.isprintable() or one == "\n").strip()
