"""Demo templates in two languages and several channels, and the signatures they are sent under."""

from collections.abc import Callable

from notifyhub.core.registry import demo_loaders
from notifyhub.customers.models import Topic
from notifyhub.messaging.demo import digests
from notifyhub.messaging.demo.limits import lift_limits, set_limits
from notifyhub.messaging.demo.orders import load_order_messages
from notifyhub.messaging.demo.reactions import load_own_events, load_reactions
from notifyhub.messaging.demo.texts import TEMPLATES
from notifyhub.messaging.models import SenderIdentity
from notifyhub.messaging.services import templates
from notifyhub.staff.models import Team, User

AUTHOR = "majun"


def load(say: Callable[[str], None]) -> None:
    """Make and publish the templates, and send what orders of the last days cause."""
    author = User.objects.get(username=AUTHOR)
    team = Team.objects.filter(memberships__user=author).first()
    topics = {topic.code: topic for topic in Topic.objects.all()}
    for key, (name, message_class, topic, texts) in TEMPLATES.items():
        (channel, language), *_rest = texts
        template = templates.create_template(
            name=name,
            key=key,
            message_class=message_class,
            topic=topics[topic],
            channel=channel,
            language=language,
            owner=author,
            owner_team=team,
        )
        drafts = {
            (content.channel, content.language): content.version
            for content in templates.open_draft(template_id=template.pk, author=author).contents.all()
        }
        for (channel, language), (subject, body) in texts.items():
            templates.save_content(
                template_id=template.pk,
                channel=channel,
                language=language,
                subject=subject,
                body=body,
                version=drafts.get((channel, language), 0),
                author=author,
            )
        templates.publish(template_id=template.pk, note="首次发布", user=author)
    SenderIdentity.objects.get_or_create(
        name="鹿岸生活 · 邮件",
        defaults={"channel": "email", "from_name": "鹿岸生活", "from_email": "news@luan.example"},
    )
    SenderIdentity.objects.get_or_create(
        name="鹿岸生活 · 短信", defaults={"channel": "sms", "signature": "鹿岸生活"}
    )
    say(f"{len(TEMPLATES)} templates, published, in two languages")
    say(f"{load_order_messages():,} messages about orders of the last days")


def react(say: Callable[[str], None]) -> None:
    """Let people read and click what was sent, and tell it as events of theirs."""
    say(f"{load_reactions():,} times somebody read or clicked a message")
    say(f"{load_own_events():,} events of our own: delivered, read, clicked, bounced")


def register() -> None:
    """Hand the loader to the registry."""
    demo_loaders.register("messaging without limits", lift_limits, order=5)
    demo_loaders.register("messaging", load, order=20)
    demo_loaders.register("reactions", react, order=45)
    demo_loaders.register("messaging digests", digests.load, order=22)
    demo_loaders.register("messaging limits", set_limits, order=50)
