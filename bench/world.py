"""Customers with consents, holds, suppressions and counters; a published mail; accounts to send by."""

import datetime
import time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from bench import sql
from bench.options import Size
from bench.processes import say
from notifyhub.core import crypto
from notifyhub.customers.models import Customer, Segment, Topic
from notifyhub.messaging.engine.finish import finish_dispatches
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Delivery, Dispatch, ProviderAccount, SendingPolicy, Template
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.dispatches import create_dispatch
from notifyhub.messaging.services.templates import create_template, publish, save_content

CAP_DAY, CAP_WEEK = 20, 60
ROW = """<tr><td style="padding:12px;border-bottom:1px solid #eee"><b>第{n}张券</b><br>
满{n}00减{n}5，附近门店通用，周末同享，不与其他优惠同用；到店出示本邮件即可使用，逾期自动作废，最终解释以门店公告为准。</td></tr>"""
BODY = (
    """<h1 style="font-size:22px;color:#222">{{ customer.name }}，您好</h1>
<p style="font-size:15px;line-height:1.6">{{ customer.city }}满120减30，仅限今天。您是我们的
{{ customer.attributes.level }}会员，现有{{ customer.attributes.points }}积分。
{% if customer.attributes.level == "gold" %}金卡会员另有专属礼遇，请到前台领取。{% endif %}</p>
<table role="presentation" width="100%">"""
    + "".join(ROW.replace("{n}", str(n)) for n in range(1, 6))
    + """</table>
<p><a href="https://shop.example/offers" style="background:#c00;color:#fff;padding:10px 24px">去看看</a></p>
<p style="font-size:12px;color:#888">本期编号 {edition}</p>"""
)


class World:
    """The filled database; hands out audiences that no other round had."""

    def __init__(self, size: Size, *, smtp_port: int) -> None:
        self.size = size
        self.people = 0
        self.taken = 0
        self.editions = 0
        self.topic = Topic.objects.create(
            code="deals", name="Deals", message_class="promotional", legal_basis="consent"
        )
        self.template = create_template(
            key="bench",
            name="Bench",
            message_class="promotional",
            topic=self.topic,
            channel="email",
            language="zh-hans",
        )
        Template.objects.filter(pk=self.template.pk).update(track_links=True)
        self.account("smtp", "smtp", port=smtp_port)
        self.account("null", "bench-null")
        self._limit()
        self._fill()

    def _limit(self) -> None:
        """Switch every gate on, and keep the quiet hours away from now."""
        now = datetime.datetime.now(ZoneInfo("Asia/Shanghai"))
        SendingPolicy.objects.exclude(message_class="transactional").update(
            cap_day=CAP_DAY,
            cap_week=CAP_WEEK,
            subject_gap_hours=1,
            subject_max=50,
            duplicate_hours=24,
            quiet_from=(now + datetime.timedelta(hours=10)).time().replace(microsecond=0),
            quiet_until=(now + datetime.timedelta(hours=12)).time().replace(microsecond=0),
        )

    def _fill(self) -> None:
        people = self.size.people
        say(f"Making {people:,} customers.")
        values = [crypto.encrypt(f"customer{number}@mail.example") for number in range(1000)]
        with connection.cursor() as cursor:
            cursor.execute(sql.CUSTOMERS, {"first": 1, "last": people})
            cursor.execute(sql.CONTACTS, {"values": values, "key": crypto.current_key_id()})
            cursor.execute(sql.CONSENTS, {"topic": self.topic.pk})
            cursor.execute(sql.HOLDS, {})
            cursor.execute(sql.SUPPRESSIONS, {})
            cursor.execute(sql.COUNTERS, {"cap": CAP_DAY})
            cursor.execute("VACUUM ANALYZE")
        self.people = Customer.objects.count()

    def edition(self) -> Any:
        """Publish the mail anew and return the version, so that nobody gets the same text twice."""
        self.editions += 1
        save_content(
            template_id=self.template.pk,
            channel="email",
            language="zh-hans",
            subject="{{ customer.name }}，今天满120减30",
            body=BODY.replace("{edition}", str(self.editions)),
        )
        return publish(template_id=self.template.pk)

    def account(self, name: str, backend: str, *, port: int = 0) -> None:
        """Make an account for mail that nothing slows down."""
        values: dict[str, Any] = {}
        if backend == "smtp":
            values = {
                "host": "127.0.0.1",
                "port": port,
                "security": "none",
                "from_email": "news@shop.example",
            }
        create_account(channel="email", backend=backend, name=name, values=values, rate_per_second=1_000_000)

    def use(self, name: str) -> None:
        """Send mail through this account and no other."""
        accounts = ProviderAccount.objects.filter(channel="email")
        accounts.update(active=False)
        accounts.filter(name=name).update(active=True)

    def audience(self, people: int) -> dict[str, Any]:
        """Return the rule of the next `people` customers, or of everybody."""
        if people >= self.people:
            return {"all": True}
        if self.taken + people > self.people:
            self.taken = 0
        segment = Segment.objects.create(name=f"Bench {time.time_ns()}", kind=Segment.Kind.STATIC)
        first = Customer.objects.order_by("pk").values_list("pk", flat=True)[0] - 1
        with connection.cursor() as cursor:
            cursor.execute(
                sql.MEMBERS, {"segment": segment.pk, "after": first + self.taken, "people": people}
            )
            cursor.execute("ANALYZE customers_segmentmember")
        self.taken += people
        return {"field": "segment", "operator": "in", "value": [segment.pk]}

    def accept(self, rule: dict[str, Any], version: Any) -> Dispatch:
        """Accept the promotional mail to an audience."""
        return create_dispatch(
            title="Bench",
            origin_kind="bench",
            message_class="promotional",
            chain=[{"channel": "email"}],
            audience={"kind": "rule", "rule": rule},
            topic=self.topic,
            template_version=version,
        )

    def campaign(self, mails: int) -> Dispatch:
        """Return a planned dispatch of about so many mails after the gates."""
        dispatch = self.accept(self.audience(int(mails * 1.5)), self.edition())
        self.plan(dispatch)
        return dispatch

    def plan(self, dispatch: Dispatch) -> None:
        """Plan a dispatch as the task of its doorbell does."""
        plan_dispatch(dispatch_id=dispatch.pk)

    def finish(self, dispatch: Dispatch) -> Dispatch:
        """Fold the counts of a dispatch and check that nothing of it was lost; return it as it is now."""
        finish_dispatches()
        dispatch.refresh_from_db()
        rows = Delivery.objects.filter(dispatch_id=dispatch.pk)
        left = rows.filter(state__in=(Delivery.State.PLANNED, Delivery.State.UNKNOWN)).count()
        assert not left, f"{left} messages of dispatch {dispatch.pk} are still open"
        assert dispatch.state == Dispatch.State.FINISHED, dispatch.state
        assert dispatch.failed == 0, dispatch.reasons
        return dispatch

    def park(self, dispatch: Dispatch) -> None:
        """Leave what is planned where it is, and let no worker take it."""
        Dispatch.objects.filter(pk=dispatch.pk).update(state=Dispatch.State.PAUSED)
