"""Open alerts of watch rules, shown on a case and on the dashboards."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from feedback.models import Case
from feedback.tests.factories import make_agent, make_case
from notifyhub.customers.models import Alert, Customer
from notifyhub.customers.services.watch.deciding import handle_alert
from notifyhub.customers.tests.watching import charge_twice, make_rule, see, tell
from notifyhub.staff.models import User
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
NONE = "No open alert"


def card(client: Client, name: str) -> str:
    return client.get(reverse("admin:console_card", args=[name])).content.decode()


def column(client: Client, case: Case) -> str:
    return client.get(reverse("admin:feedback_case_customer", args=[case.pk])).content.decode()


def reads_alerts(captured: Any) -> int:
    return sum("customers_alert" in query["sql"] for query in captured.captured_queries)


def reads_cases_alone() -> User:
    """Return somebody who may read every case and no alert."""
    user = make_user("department_member")
    names = ("view_case", "view_all_case")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


def raise_alerts(number: int) -> list[Alert]:
    """Return that many open alerts, oldest first: each of a rule of its own."""
    for n in range(number):
        make_rule(name=f"Rule {n}", kind="twice", first=["paid"])
    charge_twice()
    return list(Alert.objects.order_by("pk"))


def test_the_service_board_counts_open_alerts_and_names_the_three_newest(client: Client) -> None:
    client.force_login(make_agent())
    assert NONE in card(client, "alerts")
    alerts = raise_alerts(4)
    shown = card(client, "alerts")
    assert "4 alerts wait for somebody." in shown
    links = [reverse("admin:customers_alert_change", args=[alert.pk]) for alert in alerts]
    assert [link in shown for link in links] == [False, True, True, True]
    assert reverse("admin:customers_alert_changelist") in shown
    handle_alert(alert_id=alerts[3].pk, note="Paid back", release=False)
    assert [link in card(client, "alerts") for link in links] == [True, True, True, False]


def test_a_card_costs_the_same_however_many_are_open(client: Client) -> None:
    client.force_login(make_agent())
    raise_alerts(1)
    with CaptureQueriesContext(
        connection,
    ) as one:
        card(client, "alerts")
    assert reads_alerts(one) == 2
    make_rule(name="Burst", kind="burst", first=["failed"], properties=["merchant"], count=2)
    at = timezone.now() - timedelta(minutes=5)
    see(*(tell("failed", at, "", f"E{n}", f"f{n}", merchant=f"M{n // 2}") for n in range(12)))
    assert Alert.objects.open().count() > 3
    with CaptureQueriesContext(connection) as many:
        card(client, "alerts")
    assert len(many) == len(one)


def test_who_may_not_see_alerts_sees_no_card_and_nothing_is_asked_for_them(client: Client) -> None:
    raise_alerts(1)
    client.force_login(make_user("marketing_editor"))
    assert client.get(reverse("admin:console_card", args=["alerts"])).status_code == 403
    client.force_login(reads_cases_alone())
    with CaptureQueriesContext(connection) as captured:
        page = client.get("/admin/?board=service").content.decode()
    assert reverse("admin:console_card", args=["service_queue"]) in page
    assert reverse("admin:console_card", args=["alerts"]) not in page
    assert reads_alerts(captured) == 0


def test_the_operations_page_and_board_have_the_card_too(client: Client) -> None:
    client.force_login(make_user("operations"))
    page = reverse("admin:console_operations")
    assert NONE in client.get(page).content.decode()
    raise_alerts(1)
    assert "1 alert waits for somebody." in client.get(page).content.decode()
    assert "1 alert waits for somebody." in card(client, "operations")
    client.force_login(make_user("administrator"))
    with CaptureQueriesContext(connection) as captured:
        assert "Open alerts" not in client.get(page).content.decode()
    assert reads_alerts(captured) == 0


def test_a_case_tells_open_alerts_about_its_customer_and_about_its_order(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    raise_alerts(1)
    link = reverse("admin:customers_alert_change", args=[Alert.objects.get().pk])
    payer = Customer.objects.get(external_id="E0")
    of_customer = make_case(agent, customer_id=payer.pk)
    of_order = make_case(agent, order_number="O0")
    of_caller = make_case(agent, phone="13866665555", order_number="O0")
    Case.objects.filter(pk=of_caller.pk).update(customer=None)
    other = make_case(agent, order_number="O9")
    assert all(link in column(client, case) for case in (of_customer, of_order, of_caller))
    assert "No open alert is about this customer or order." in column(client, other)
    handle_alert(alert_id=Alert.objects.get().pk, note="Paid back", release=False)
    assert link not in column(client, of_customer)
    assert "No open alert is about this customer." in column(client, of_customer)


def test_the_panel_of_a_case_is_one_query_and_none_for_who_may_not_see_alerts(client: Client) -> None:
    agent = make_agent()
    raise_alerts(3)
    case = make_case(agent, order_number="O0")
    client.force_login(agent)
    with CaptureQueriesContext(connection) as captured:
        shown = column(client, case)
    assert shown.count("/admin/customers/alert/") == 3
    assert reads_alerts(captured) == 1
    client.force_login(reads_cases_alone())
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(reverse("admin:feedback_case_customer", args=[case.pk]))
    assert answer.status_code == 200
    assert "/admin/customers/alert/" not in answer.content.decode()
    assert reads_alerts(captured) == 0


def test_the_customers_page_names_an_old_open_alert_before_newer_decided_ones(client: Client) -> None:
    client.force_login(make_agent())
    oldest, *newer = raise_alerts(7)
    for alert in newer:
        handle_alert(alert_id=alert.pk, note="Paid back", release=False)
    who = Customer.objects.get(external_id="E0")
    panel = client.get(reverse("admin:customers_customer_panel", args=[who.pk, "alerts"])).content.decode()
    assert reverse("admin:customers_alert_change", args=[oldest.pk]) in panel
