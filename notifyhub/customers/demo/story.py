"""刘婉清, whose check-in reminder never arrived: the one customer whom every page of the demo knows."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils import timezone

from notifyhub.customers.models import ContactPoint, Customer, Order, Topic
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.contacts import contact_row, read_contact

NUMBER = "8820417735"
BOOKING = "H2611-4471-02"
FLIGHT = "T2611-0735-11"
HOME = ZoneInfo("Asia/Shanghai")
SINCE = datetime(2023, 3, 12, 20, 41, tzinfo=HOME)
CONTACTS = {
    "phone": "15400006208",
    "email": "liuwanqing@mail.example",
    "push": "demo-push-liuwanqing",
    "wechat": "demo-openid-liuwanqing",
}
# merchant, days ago, amount
MEALS = (
    ("福记粥铺", 6, "48.50"),
    ("老城火锅", 15, "236.00"),
    ("春和小笼", 33, "39.80"),
    ("一碗面馆", 52, "27.00"),
    ("南门糖水铺", 71, "31.60"),
    ("老城火锅", 96, "198.00"),
    ("青椒小炒", 113, "64.20"),
)
# topic, channel, decision, when: she likes the app and mail, and keeps WeChat for friends.
SAID = (
    ("stay-reminders", "wechat", "out", date(2026, 6, 3)),
    ("order-updates", "wechat", "out", date(2026, 6, 3)),
    ("hotel-deals", "push", "out", date(2026, 8, 19)),
    ("hotel-deals", "sms", "out", date(2026, 8, 19)),
    ("hotel-deals", "email", "out", date(2026, 8, 19)),
    ("hotel-deals", "wechat", "out", date(2026, 6, 3)),
    ("food-deals", "push", "in", date(2026, 3, 12)),
    ("food-deals", "email", "in", date(2026, 3, 12)),
    ("food-deals", "wechat", "out", date(2026, 6, 3)),
    ("member-day", "push", "in", date(2026, 3, 12)),
)


def check_in() -> datetime:
    """Return when she stood in the lobby: the latest 14:00 in Sanya that is past."""
    now = timezone.now().astimezone(HOME)
    today = now.replace(hour=14, minute=0, second=0, microsecond=0)
    return today if today < now - timedelta(minutes=40) else today - timedelta(days=1)


def load_her() -> Customer:
    """Make her, her contact points and her orders; return her."""
    her = Customer.objects.create(
        external_id=NUMBER,
        name="刘婉清",
        city="杭州",
        attributes={
            "level": "金卡",
            "birthday": "1988-12-04",
            "points": 6420,
            "membership_ends": (check_in().date() + timedelta(days=40)).isoformat(),
        },
        tags=["亲子", "度假", "高频"],
    )
    ContactPoint.objects.bulk_create(
        contact_row(read_contact(kind=kind, raw=raw), customer_id=her.pk) for kind, raw in CONTACTS.items()
    )
    return her


def orders_of(her: Customer) -> list[Order]:
    """Return her orders, not yet written: the hotel, the flight there, and what she eats at home."""
    arrival = check_in()
    booked = arrival - timedelta(days=3) + timedelta(hours=7, minutes=30)
    common = {"customer": her, "city": "三亚", "placed_at": booked, "told_at": booked}
    hotel = Order(
        number=BOOKING,
        line="hotel",
        merchant="海棠湾花园酒店",
        amount_due=Decimal("1286.00"),
        amount_paid=Decimal("1286.00"),
        starts_at=arrival,
        due_at=booked + timedelta(hours=2),
        state=Order.State.CONFIRMED,
        **common,
    )
    flight = Order(
        number=FLIGHT,
        line="travel",
        merchant="杭州 → 三亚",
        amount_due=Decimal("2460.00"),
        amount_paid=Decimal("2460.00"),
        starts_at=arrival.replace(hour=7, minute=35),
        due_at=booked + timedelta(hours=1),
        state=Order.State.COMPLETED,
        **common,
    )
    meals = []
    for n, (merchant, days, amount) in enumerate(MEALS, start=1):
        placed = arrival - timedelta(days=days) - timedelta(hours=2, minutes=n * 7)
        meals.append(
            Order(
                customer=her,
                number=f"F26{placed:%m}-90{n:04d}",
                line="food",
                city=her.city,
                merchant=merchant,
                amount_due=Decimal(amount),
                amount_paid=Decimal(amount),
                placed_at=placed,
                told_at=placed,
                promised_at=placed + timedelta(minutes=38),
                fulfilled_at=placed + timedelta(minutes=31 + n),
                state=Order.State.COMPLETED,
            )
        )
    return [hotel, flight, *meals]


def load_her_consents() -> None:
    """Record what she allowed and what she switched off."""
    her = Customer.objects.get(external_id=NUMBER)
    topics = {topic.code: topic for topic in Topic.objects.all()}
    for code, channel, decision, day in SAID:
        record_consent(
            customer_id=her.pk,
            topic=topics[code],
            channel=channel,
            decision=decision,
            source="app",
            given_at=datetime(day.year, day.month, day.day, 21, 14, tzinfo=HOME),
            wording="消息设置",
            policy_version="privacy-2026-03",
            proof="app-settings",
        )
