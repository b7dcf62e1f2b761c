"""Making a rule of an example: its texts as drafts, the rule as a draft, nothing that goes out."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import MessageClass, Topic
from notifyhub.customers.services.topics import create_topic
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.templates import create_template, save_content
from notifyhub.reminders.examples.rules import EXAMPLES, Line
from notifyhub.reminders.examples.texts import TEXTS
from notifyhub.reminders.models import ReminderRule
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.rules import RuleSpec, StepSpec
from notifyhub.staff.models import User

# The topic of a class that has none yet.
TOPICS: dict[str, tuple[str, str, str, str]] = {
    MessageClass.SERVICE: ("reminders", "Reminders", "到期提醒", Topic.LegalBasis.CONTRACT),
    MessageClass.PROMOTIONAL: ("offers", "Offers", "优惠信息", Topic.LegalBasis.CONSENT),
}


@transaction.atomic
def make_rule(*, key: str, user: User) -> ReminderRule:
    """Make a draft rule of the example, with texts that wait for a person to publish them; return it.

    Texts made before are used again. Raises Refused for an unknown example.
    """
    example = EXAMPLES.get(key)
    if example is None:
        raise Refused(_("There is no such example."))
    start, end = example.night or (None, None)
    spec = RuleSpec(
        name=_free_name(str(example.name)), send_from=start, send_until=end, example=key, **example.data
    )
    texts = {line.text: _text(line.text, user) for line in example.lines}
    return rules.create_rule(data=spec, steps=[_step(line, texts) for line in example.lines], owner=user)


def _step(line: Line, texts: dict[str, Template]) -> StepSpec:
    return StepSpec(
        amount=line.amount,
        unit=line.unit,
        side=line.side,
        at_time=line.at,
        chain=line.channels(),
        template=texts[line.text],
    )


def _free_name(name: str) -> str:
    taken = set(ReminderRule.objects.filter(name__startswith=name).values_list("name", flat=True))
    if name not in taken:
        return name
    return next(f"{name} {n}" for n in range(2, len(taken) + 3) if f"{name} {n}" not in taken)


def _text(key: str, user: User) -> Template:
    name, message_class, words = TEXTS[key]
    full = f"reminder-{key}"
    found = Template.objects.filter(key=full, archived_at=None).first()
    if found is not None:
        return found
    if Template.objects.filter(key=full).exists():
        full = ""  # Somebody archived it: a new one, under a key of its own.
    (channel, language), *_rest = words
    template = create_template(
        name=str(name),
        key=full,
        message_class=message_class,
        channel=channel,
        language=language,
        topic=_topic(message_class, user),
        owner=user,
    )
    for (channel, language), (subject, body) in words.items():
        save_content(
            template_id=template.pk,
            channel=channel,
            language=language,
            subject=subject,
            body=body,
            author=user,
        )
    return template


def _topic(message_class: str, user: Any) -> Topic | None:
    if message_class == MessageClass.TRANSACTIONAL:
        return None
    code, name, name_zh, basis = TOPICS[message_class]
    rows = Topic.objects.filter(message_class=message_class, active=True)
    named = [topic for topic in rows if topic.code in (code, "bill-reminders")] or list(rows[:1])
    if named:
        return named[0]
    return create_topic(
        user=user, code=code, name=name, name_zh=name_zh, message_class=message_class, legal_basis=basis
    )
