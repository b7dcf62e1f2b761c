"""The whole product behind a pooler that gives each transaction another connection."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as live
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse

from notifyhub.customers.models import Consent, Customer
from notifyhub.customers.services.privacy import erase_customer
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.customers.tests.importing import run_command, write
from notifyhub.messaging.engine.statements import prepared
from notifyhub.messaging.services.replies import take_replies
from notifyhub.messaging.tests.kit.pooler import Pooler, pooler
from notifyhub.messaging.tests.kit.processes import environment
from notifyhub.messaging.tests.kit.replies import gateway, phone_of, push
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    make_recipients,
    states,
)
from notifyhub.staff.doctor import check_database
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def before() -> Iterator[tuple[Pooler, str]]:
    """A pooler before the test database, and the address through it."""
    with pooler(environment()["DATABASE_URL"]) as running:
        yield running


@pytest.fixture
def behind(before: tuple[Pooler, str], settings: Any) -> Iterator[Pooler]:
    """This process works through the pooler, as DATABASE_POOL=transaction has it."""
    running, _url = before
    connection.close()
    own = connection.settings_dict
    kept = {name: own[name] for name in ("HOST", "PORT", "OPTIONS")}
    own |= {"HOST": "127.0.0.1", "PORT": running.port}
    own["OPTIONS"] = {**own["OPTIONS"], "prepare_threshold": None, "sslmode": "disable"}
    settings.DATABASE_POOL = "transaction"
    yield running
    connection.close()
    own |= kept


def manage(url: str, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the product through the pooler."""
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=live.BASE_DIR,
        env=environment(DATABASE_URL=url, DATABASE_POOL="transaction"),
        capture_output=True,
        text=True,
        check=False,
    )


def ask(session: "psycopg.Connection[Any]", statement: str) -> Any:
    row = session.execute(statement).fetchone()
    return row[0] if row else None


def test_the_pooler_is_mean(before: tuple[Pooler, str]) -> None:
    running, url = before
    seen = set()
    with psycopg.connect(url, prepare_threshold=None) as session:
        for _n in range(8):
            number = ask(session, "SELECT pg_backend_pid()")
            assert ask(session, "SELECT pg_backend_pid()") == number
            seen.add(number)
            session.commit()
        session.execute("SET search_path = elsewhere")
        session.commit()
        assert ask(session, "SHOW search_path") != "elsewhere"
    assert len(seen) == running.size


def test_without_the_setting_the_engine_would_trip(behind: Pooler) -> None:
    connection.close()
    connection.settings_dict["OPTIONS"]["prepare_threshold"] = 5
    with pytest.raises(DatabaseError, match="does not exist"):
        add(1)


def add(number: int) -> int:
    with prepared() as cursor:
        cursor.execute("SELECT %(n)s::bigint + 1", {"n": number})
        return int(cursor.fetchone()[0])


def test_with_it_nothing_is_prepared_and_nothing_set_for_others(behind: Pooler) -> None:
    assert [add(n) for n in range(10)] == list(range(1, 11))
    with connection.cursor() as cursor:
        for _n in range(behind.size):
            cursor.execute("SELECT count(*) FROM pg_prepared_statements")
            assert cursor.fetchone() == (0,)
            cursor.execute("SHOW plan_cache_mode")
            assert cursor.fetchone() == ("auto",)


def test_a_worker_and_the_ticks_do_their_work_through_it(before: tuple[Pooler, str]) -> None:
    running, url = before
    people = make_recipients(*["auto"] * 60)
    dispatch = dispatch_to(people)
    everybody = dispatch_to(title="Everybody", text={"subject": "Rice", "body": "Second bowl free"})
    for command in ("run_worker_once", "run_tick_once"):
        done = manage(url, command)
        assert done.returncode == 0, done.stderr[-2000:]
    assert states(dispatch) == states(everybody) == {"delivered": 60}
    assert_counts_are_the_ledger(dispatch)
    assert running.handed_over > 100


def test_the_console_works_through_it(behind: Pooler, client: Client, capsys: Any) -> None:
    (customer,) = make_recipients("auto")
    dispatch_to([customer])
    client.force_login(make_user("operations", is_superuser=True))
    for name in (
        "index",
        "customers_customer_changelist",
        "customers_segment_changelist",
        "campaigns_campaign_changelist",
        "feedback_case_changelist",
        "messaging_delivery_changelist",
        "messaging_delivery_sandbox",
        "messaging_inboundmessage_changelist",
        "messaging_dispatch_changelist",
        "messaging_provideraccount_changelist",
        "reminders_reminderrule_changelist",
    ):
        assert client.get(reverse(f"admin:{name}")).status_code == 200, name
    page = reverse("admin:customers_customer_change", args=[customer.pk])
    assert client.get(page).status_code == 200
    with pytest.raises(SystemExit):
        call_command("doctor", "--json")
    assert "database" in json.loads(capsys.readouterr().out)["checks"]
    assert behind.handed_over > 50


def test_files_are_imported_and_exported_and_people_forgotten_through_it(
    behind: Pooler, tmp_path: Path
) -> None:
    lines = [f"E{n},Name {n},1390000{n:04d}" for n in range(2500)]
    for _again in range(2):
        run = run_command(write(tmp_path / "a.csv", "\n".join(["id,name,phone", *lines])))
    assert (Customer.objects.count(), run.updated + run.unchanged) == (2500, 2500)
    call_command("export_customers", str(tmp_path / "out.csv"), verbosity=0)
    assert (tmp_path / "out.csv").read_text().count("\n") == 2501
    some = Customer.objects.earliest("pk")
    erase_customer(customer_id=some.pk, reason="asked for it")
    assert not some.contact_points.exists()


def test_replies_are_heeded_through_it(behind: Pooler) -> None:
    account, customer = gateway(), make_customer()
    opt_in(customer, make_topic(), "sms")
    for text in ("R", "START", "TD"):
        assert push(account, phone_of(customer), text) == 200
        take_replies()
    assert Consent.objects.get().decision == "out"
    assert behind.handed_over > 10


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """New connections to the test database begin in the time zone of Shanghai."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Shanghai'")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET timezone")


def test_doctor_warns_of_a_role_whose_sessions_do_not_begin_in_utc(elsewhere: None, settings: Any) -> None:
    connection.close()
    assert check_database().level == "ok"
    settings.DATABASE_POOL = "transaction"
    assert check_database().level == "warning"
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(connection.settings_dict["NAME"])
        cursor.execute(f"ALTER DATABASE {name} SET timezone = 'UTC'")
    connection.close()
    assert check_database().level == "ok"
