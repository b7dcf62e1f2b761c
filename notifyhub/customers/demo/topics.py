"""Topics, and who allowed what."""

from django.db import connection

from notifyhub.customers.models import Consent, Topic

TOPICS = (
    ("order-updates", "Order updates", "订单动态", "transactional", "contract"),
    ("service-replies", "Answers from service", "客服回复", "transactional", "contract"),
    ("stay-reminders", "Stay and trip reminders", "出行提醒", "service", "contract"),
    ("bill-reminders", "Bill reminders", "账单提醒", "service", "contract"),
    ("food-deals", "Food deals", "美食优惠", "promotional", "consent"),
    ("hotel-deals", "Hotel deals", "酒店优惠", "promotional", "consent"),
    ("member-day", "Member day", "会员日", "promotional", "consent"),
    ("notices", "Rules and notices", "规则与公告", "informational", "legal_duty"),
)

# How many of a hundred opted in, by channel; the same customer always falls the same way.
RATES = {"push": 68, "sms": 52, "email": 45, "wechat": 57}

_RECORDS = """
INSERT INTO customers_consentrecord (customer_id, topic_id, channel, decision, given_at, source,
                                     policy_version, wording, proof, recorded_at, recorded_by)
SELECT c.id, t.id, ch.name, d.decision,
       now() - (20 + abs(hashint8(c.id * 31 + t.id)) %% 400) * interval '1 day'
             - (abs(hashint8(c.id * 7 + t.id)) %% 840) * interval '1 minute',
       'app', 'privacy-2026-03', '我同意接收优惠信息，可随时关闭。', 'app-settings', now(), 'demo'
FROM customers_customer c
CROSS JOIN customers_topic t
CROSS JOIN unnest(%(channels)s::text[], %(rates)s::int[]) AS ch (name, rate)
CROSS JOIN LATERAL (
    SELECT CASE WHEN abs(hashtext(c.id || t.code || ch.name)) %% 100 < ch.rate
                THEN 'in' ELSE 'out' END AS decision
) d
WHERE t.message_class = 'promotional'
   OR (t.message_class IN ('service', 'informational') AND abs(hashtext(t.code || c.id || ch.name)) %% 100 < 3
       AND d.decision = 'out')
"""
_STATE = """
INSERT INTO customers_consent (customer_id, topic_id, channel, decision, given_at)
SELECT customer_id, topic_id, channel, decision, given_at FROM customers_consentrecord
"""


def load_topics() -> None:
    """Make the topics."""
    for code, name, name_zh, message_class, basis in TOPICS:
        Topic.objects.get_or_create(
            code=code,
            defaults={
                "name": name,
                "name_zh": name_zh,
                "message_class": message_class,
                "legal_basis": basis,
            },
        )


def load_consents() -> int:
    """Record who opted in and out; return how many consents there are."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORDS, {"channels": list(RATES), "rates": list(RATES.values())})
        cursor.execute(_STATE)
    return Consent.objects.count()
