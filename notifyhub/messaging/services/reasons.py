"""Why a message is where it is: one sentence to say to the customer, and what to do about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.html import strip_tags
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.templatetags.nh import fact_time
from notifyhub.messaging.models import Delivery

State = Delivery.State
Reason = Delivery.Reason

# reason: (why in words, what helps)
WORDS: dict[str, tuple[Any, Any]] = {
    Reason.NO_CONTACT: (
        gettext_lazy("we have no contact point of theirs for this channel"),
        gettext_lazy("Ask for it, or choose another channel."),
    ),
    Reason.INVALID_CONTACT: (
        gettext_lazy("the contact point we have is not in service"),
        gettext_lazy("Ask for the present one."),
    ),
    Reason.NO_CONSENT: (
        gettext_lazy("they have not opted in to this topic on this channel"),
        gettext_lazy("Only the customer can change that."),
    ),
    Reason.OPTED_OUT: (
        gettext_lazy("they opted out of this topic on this channel"),
        gettext_lazy("Only the customer can change that."),
    ),
    Reason.SUPPRESSED: (
        gettext_lazy("their contact point is suppressed"),
        gettext_lazy("Look at the suppression; operations can lift it."),
    ),
    Reason.HOLD: (
        gettext_lazy("a hold was in force"),
        gettext_lazy("It goes on when the hold is released; this message is not made up for."),
    ),
    Reason.CHANNEL_NOT_ALLOWED: (
        gettext_lazy("the sending policy does not allow this channel for this class"),
        gettext_lazy("Operations can change the policy."),
    ),
    Reason.DUPLICATE_CONTACT: (
        gettext_lazy("another customer with the same contact point got it already"),
        gettext_lazy("Merge the two if they are one person."),
    ),
    Reason.DUPLICATE: (
        gettext_lazy("the same text went to them shortly before"),
        gettext_lazy("Nothing to do; the policy says after how many hours it may go again."),
    ),
    Reason.CAP_DAY: (
        gettext_lazy("they had as many messages of this class that day as the policy allows"),
        gettext_lazy("Send it another day; operations can change the policy."),
    ),
    Reason.CAP_WEEK: (
        gettext_lazy("they had as many messages of this class in seven days as the policy allows"),
        gettext_lazy("Send it later; operations can change the policy."),
    ),
    Reason.SUBJECT_GAP: (
        gettext_lazy("the last message or call about this subject was too short a while before"),
        gettext_lazy("Nothing to do; the next step of the reminder comes at its time."),
    ),
    Reason.SUBJECT_MAX: (
        gettext_lazy("they heard about this subject as often as the policy allows"),
        gettext_lazy("Call them if it matters; operations can change the policy."),
    ),
    Reason.READ: (gettext_lazy("they read it on another channel before"), ""),
    Reason.NO_CONTENT: (
        gettext_lazy("the template has no text for this channel"),
        gettext_lazy("Write one and publish the template."),
    ),
    Reason.STOPPED: (gettext_lazy("it was no longer due when its time came"), ""),
    Reason.RENDER_ERROR: (
        gettext_lazy("the text could not be filled in for this customer"),
        gettext_lazy("Look at the template with this customer in its preview."),
    ),
    Reason.NOT_ALLOW_LISTED: (
        gettext_lazy("outside production only contact points on the allow-list are written to"),
        gettext_lazy("Add it to NOTIFYHUB_ALLOW_RECIPIENTS, or use the sandbox."),
    ),
    Reason.REJECTED: (gettext_lazy("the provider refused it"), gettext_lazy("Its answer stands below.")),
    Reason.TOO_MANY_TRIES: (
        gettext_lazy("the provider could not take it, several times in a row"),
        gettext_lazy("Look at the provider account."),
    ),
    Reason.NO_ACCOUNT: (
        gettext_lazy("no active provider account serves this channel"),
        gettext_lazy("Operations can add one."),
    ),
    Reason.ACCOUNT: (
        gettext_lazy("the provider account did not answer"),
        gettext_lazy("Look at the provider account."),
    ),
    Reason.POISON: (
        gettext_lazy("it was set aside since it stopped its worker"),
        gettext_lazy("Report it with its number."),
    ),
    Reason.AMBIGUOUS: (
        gettext_lazy("the provider did not answer whether it took it"),
        gettext_lazy("A receipt or a look-up settles it. It is not sent again by itself."),
    ),
    Reason.WORKER_DIED: (
        gettext_lazy("the process stopped while it was handing it over"),
        gettext_lazy("A receipt or a look-up settles it. It is not sent again by itself."),
    ),
    Reason.GATHERED: (
        gettext_lazy("it is gathered with others of its topic into one message"),
        gettext_lazy("The digest tells it; from the customer's page it can be sent at once."),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The answer first: `tone` colours it, `sentence` says it, `advice` helps."""

    tone: str
    sentence: Any
    advice: Any = ""


def _clock(moment: datetime | None) -> str:
    """Return the exact time as plain words, to stand in a sentence that one can copy."""
    return strip_tags(str(fact_time(moment)))


def explain(*, delivery: Delivery, customer: str, finding: str = "", detour: str = "") -> Explanation:
    """Return the sentence for this message, from what is stored of it; `finding` are the numbers behind its
    reason, or what it waits for, in words; `detour` says which accounts did not take it before."""
    why, advice = WORDS.get(delivery.reason, ("", ""))
    why = finding or why
    at = _clock(delivery.settled_at or delivery.send_at)
    state = delivery.state
    facts = {"name": customer, "at": at, "why": why}
    if state == State.DELIVERED:
        arrived = {**facts, "at": _clock(delivery.delivered_at or delivery.settled_at)}
        sentence = _("%(name)s received it: delivered at %(at)s.") % arrived
        if delivery.read_at:
            sentence += " " + _("Read at %s.") % _clock(delivery.read_at)
        return Explanation(tone="green", sentence=sentence, advice=detour)
    if state == State.SENT:
        return Explanation(
            tone="violet",
            sentence=_("It was handed over at %(at)s; the provider has not reported its arrival.") % facts,
            advice=detour,
        )
    if state == State.PLANNED:
        sentence = _("It is planned for %s and was not sent yet.") % _clock(delivery.send_at)
        if finding:
            sentence = _("It was not sent yet: %s.") % finding
        return Explanation(tone="blue", sentence=sentence)
    if state == State.SKIPPED:
        sentence = _("%(name)s did not get it: %(why)s.") % {**facts, "why": why or _("it was skipped")}
        return Explanation(tone="grey", sentence=sentence, advice=advice)
    if state == State.UNKNOWN:
        sentence = _("We cannot say whether %(name)s got it: %(why)s.") % {
            **facts,
            "why": why or _("the result is unknown"),
        }
        return Explanation(tone="orange", sentence=sentence, advice=advice)
    if state == State.BOUNCED:
        sentence = _("It came back at %(at)s: the contact point is not in service.") % facts
        return Explanation(tone="red", sentence=sentence, advice=WORDS[Reason.INVALID_CONTACT][1])
    if state == State.EXPIRED:
        return Explanation(
            tone="grey", sentence=_("It was not sent in time and had expired at %(at)s.") % facts
        )
    if state == State.GATHERED:
        sentence = _("It was not sent alone: it is gathered with others into a digest.")
        return Explanation(tone="blue", sentence=sentence)
    if state == State.CANCELLED:
        return Explanation(tone="grey", sentence=_("The dispatch was cancelled before its turn came."))
    sentence = _("It could not be sent: %(why)s.") % {**facts, "why": why or _("the provider refused it")}
    return Explanation(tone="red", sentence=sentence, advice=advice)
