"""Names, cities, contact points."""

from datetime import date, timedelta
from random import Random
from typing import Any

from django.db import connection

from notifyhub.customers.demo.story import NUMBER, SINCE
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.services.contacts import contact_row, read_contact

CITIES = (
    ("上海", 20), ("北京", 17), ("杭州", 13), ("广州", 12), ("深圳", 11),
    ("成都", 9), ("武汉", 7), ("西安", 5), ("三亚", 3), ("乌鲁木齐", 3),
)  # fmt: skip
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾萧田董潘袁蔡蒋余于杜叶程苏魏吕丁"
    "任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛阎段雷侯龙史陶黎贺顾毛郝龚邵万钱严"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华慧巧美婷雪琳晨宇轩涵梓萱欣怡浩然子墨雨桐诗琪俊熙"
    "思远嘉怡一凡若溪晓岚清远航宁可欣佳雯文博天佑"
)
TAGS = ("新客", "夜宵", "亲子", "差旅", "度假", "素食", "会员日", "价格敏感", "高频")
LEVELS = (("普通", 55), ("银卡", 25), ("金卡", 15), ("黑金", 5))
# No operator has been given 154, so nobody owns these numbers; .example is reserved by RFC 2606.
PHONE_PREFIX = "154"


def _name(rng: Random) -> str:
    return rng.choice(SURNAMES) + "".join(rng.choice(GIVEN) for _place in range(rng.choice((1, 2, 2, 2))))


def _weighted(rng: Random, pairs: tuple[tuple[str, int], ...]) -> str:
    return rng.choices([name for name, _weight in pairs], [weight for _name, weight in pairs])[0]


def _attributes(rng: Random) -> dict[str, Any]:
    birthday = date(1955, 1, 1) + timedelta(days=rng.randrange(51 * 365))
    attributes: dict[str, Any] = {
        "level": _weighted(rng, LEVELS),
        "birthday": birthday.isoformat(),
        "points": rng.randrange(0, 9000, 10),
    }
    if attributes["level"] != "普通":
        attributes["membership_ends"] = (date(2026, 11, 1) + timedelta(days=rng.randrange(400))).isoformat()
    return attributes


# Everybody has been with us for a while: longer ago the lower the number.
_SINCE = """
UPDATE customers_customer SET created_at = now() - interval '45 days'
    - ((%(count)s - n + 1) * interval '1300 days' / %(count)s) + (n * 7919 %% 86400) * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM customers_customer) numbered
WHERE numbered.id = customers_customer.id
"""


def date_people() -> None:
    """Let the customers have come over the years and not all today."""
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, {"count": Customer.objects.count()})
    Customer.objects.filter(external_id=NUMBER).update(created_at=SINCE)


def load_people(rng: Random, count: int) -> list[int]:
    """Make `count` customers with their contact points; return their ids."""
    customers = [
        Customer(
            external_id=f"88{n:08d}",
            name=_name(rng),
            city=(city := _weighted(rng, CITIES)),
            locale="en" if rng.random() < 0.04 else "zh-hans",
            time_zone="Asia/Urumqi" if city == "乌鲁木齐" else "Asia/Shanghai",
            attributes=_attributes(rng),
            tags=sorted(rng.sample(TAGS, rng.choice((0, 1, 1, 2, 2, 3)))),
        )
        for n in range(1, count + 1)
    ]
    Customer.objects.bulk_create(customers, batch_size=1000)
    ContactPoint.objects.bulk_create(
        [row for n, customer in enumerate(customers) for row in _contacts(rng, n, customer)], batch_size=2000
    )
    return [customer.pk for customer in customers]


def _contacts(rng: Random, n: int, customer: Customer) -> list[ContactPoint]:
    raw = {"phone": f"{PHONE_PREFIX}{n * 7919 % 100_000_000:08d}"}
    if rng.random() < 0.82:
        raw["email"] = f"{customer.external_id}@mail.example"
    if rng.random() < 0.7:
        raw["push"] = f"demo-push-{customer.external_id}"
    if rng.random() < 0.55:
        raw["wechat"] = f"demo-openid-{customer.external_id}"
    rows = []
    for kind, text in raw.items():
        row = contact_row(read_contact(kind=kind, raw=text), customer_id=customer.pk)
        if kind == "phone" and rng.random() < 0.015:
            row.valid, row.invalid_reason = False, ContactPoint.Invalid.NOT_IN_SERVICE
        rows.append(row)
    return rows
