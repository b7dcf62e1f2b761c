"""News of favourite merchants, gathered into one message a day: a digest that went, and one that waits."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, time, timedelta

from django.utils import timezone

from notifyhub.customers.demo.story import NUMBER
from notifyhub.customers.models import Customer, Topic
from notifyhub.messaging.demo.past import date_messages
from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.messaging.models import Delivery, DigestItem, Dispatch, DispatchItem, Template
from notifyhub.messaging.services import templates
from notifyhub.messaging.services.digests.closing import close_now
from notifyhub.messaging.services.digests.wishes import set_wish
from notifyhub.messaging.services.dispatches import Item, create_dispatch
from notifyhub.staff.models import Team, User

AUTHOR = "majun"
KEY = "merchant-news"
PEOPLE = 60
CLOSES = time(18)

_ITEMS = "{% for item in items %}{{ item.merchant }}：{{ item.news }}\n{% endfor %}"
_ITEMS_EN = "{% for item in items %}{{ item.merchant }}: {{ item.news }}\n{% endfor %}"
_LIST = "<ul>{% for item in items %}<li><b>{{ item.merchant }}</b> {{ item.news }}</li>{% endfor %}</ul>"

# (channel, language): subject, text, subject of a digest, text of a digest
TEXTS = {
    ("push", "zh-hans"): ("{{ merchant }}有新消息", "{{ news }}", "{{ count }} 家收藏的店有新消息", _ITEMS),
    ("push", "en"): ("News from {{ merchant }}", "{{ news }}", "News from {{ count }} favourites", _ITEMS_EN),
    ("email", "zh-hans"): (
        "{{ merchant }}有新消息",
        "<p>{{ customer.name | default: '您好' }}，您收藏的{{ merchant }}：{{ news }}</p>",
        "您收藏的 {{ count }} 家店今天有新消息",
        f"<p>{{{{ customer.name | default: '您好' }}}}，今天的新消息：</p>{_LIST}",
    ),
    ("email", "en"): (
        "News from {{ merchant }}",
        "<p>{{ merchant }}: {{ news }}</p>",
        "{{ count }} of your favourites have news",
        f"<p>Today's news:</p>{_LIST}",
    ),
}
YESTERDAY = (("老灶火锅", "新上酸菜鱼锅底"), ("湖畔酒店", "周末早餐延到十一点"), ("北街面馆", "换了新菜单"))
TODAY = (("山居民宿", "十二月的房开放预订"), ("老灶火锅", "今晚毛肚加量"))


def make_news(author: User) -> Template:
    """Return the published template whose messages are gathered by the day."""
    topic, _created = Topic.objects.get_or_create(
        code="favourites",
        defaults={
            "name": "News of favourites",
            "name_zh": "收藏动态",
            "message_class": "informational",
            "legal_basis": "contract",
        },
    )
    template = templates.create_template(
        name="收藏店铺动态",
        key=KEY,
        message_class="informational",
        topic=topic,
        channel="push",
        language="zh-hans",
        owner=author,
        owner_team=Team.objects.filter(memberships__user=author).first(),
    )
    for place, ((channel, language), (subject, body, many, several)) in enumerate(TEXTS.items()):
        templates.save_content(
            template_id=template.pk,
            channel=channel,
            language=language,
            subject=subject,
            body=body,
            digest_subject=many,
            digest_body=several,
            version=0 if place else 1,
            author=author,
        )
    templates.update_template(
        template_id=template.pk, changes={"gather": "day", "gather_at": CLOSES}, version=None
    )
    templates.publish(template_id=template.pk, note="首次发布", user=author)
    template.refresh_from_db()
    return template


def tell(template: Template, people: Sequence[Customer], merchant: str, news: str) -> Dispatch:
    """Return the dispatch that tells these people one piece of news."""
    return create_dispatch(
        title=f"{merchant} · {news}",
        origin_kind="api",
        trigger="merchant-center",
        message_class=template.message_class,
        topic=template.topic,
        template_version=template.versions.get(state="published"),
        chain=[{"channel": "push"}, {"channel": "email"}],
        audience={"kind": "items"},
        items=[
            Item(
                item=one.pk,
                customer_id=one.pk,
                subject_ref=f"merchant:{merchant}",
                variables={"merchant": merchant, "news": news},
            )
            for one in people
        ],
        author="merchant-center",
    )


def _date(dispatches: Iterable[Dispatch], first: datetime, closed: datetime) -> None:
    """Move what was gathered yesterday to the times at which that would have been."""
    times: dict[tuple[int, int], datetime] = {}
    for place, dispatch in enumerate(dispatches):
        at = first + timedelta(hours=2 * place)
        rows = Delivery.objects.filter(dispatch_id=dispatch.pk).values_list("dedup_key", flat=True)
        times |= {(dispatch.pk, item): at for item in rows}
        DigestItem.objects.filter(dispatch_id=dispatch.pk).update(at=at, closes_at=closed, settled_at=closed)
    made = DispatchItem.objects.filter(dispatch__origin_kind="digest").values_list("dispatch_id", "item")
    date_messages({**times, **dict.fromkeys(made, closed)})


def load(say: Callable[[str], None]) -> None:
    """Gather and send yesterday's news, and let today's wait."""
    template = make_news(User.objects.get(username=AUTHOR))
    people = list(Customer.objects.filter(state=Customer.State.ACTIVE).order_by("pk")[:PEOPLE])
    people += [one for one in Customer.objects.filter(external_id=NUMBER) if one not in people]
    if template.topic is not None and len(people) > 2:
        # One wants everything at once, one by the week.
        for customer, wish in zip(people, ("at_once", "week"), strict=False):
            set_wish(customer_id=customer.pk, topic=template.topic, wish=wish, source="unsubscribe_page")
    # Not everybody follows every merchant.
    told = []
    for place, (merchant, news) in enumerate(YESTERDAY):
        told.append(tell(template, people[place % 2 :: 1 + place], merchant, news))
        drain_everything()
    made = close_now(ids=list(DigestItem.objects.filter(every="day").values_list("pk", flat=True)))
    drain_everything()
    yesterday = timezone.localtime() - timedelta(days=1)
    closed = yesterday.replace(hour=CLOSES.hour, minute=0, second=0, microsecond=0)
    _date(told, closed - timedelta(hours=7), closed)
    for merchant, news in TODAY:
        tell(template, people, merchant, news)
        drain_everything()
    waiting = DigestItem.objects.filter(state=DigestItem.State.WAITING).count()
    say(f"{made} digests of yesterday's news, {waiting} messages that wait for today's")
