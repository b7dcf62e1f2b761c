"""Files of events: by clicking, by command, in whatever order, as often as they come."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from notifyhub.customers.models import Customer, CustomerImport, Event, Order, ParkedEvent
from notifyhub.customers.services.events.policy import change_policy
from notifyhub.customers.tests.factories import make_customer
from notifyhub.customers.tests.importing import problems, write
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.services.jobs import run_waiting_jobs
from notifyhub.staff.tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folder")]

FILE = """事件,时间,会员号,订单号,amount_due,amount_paid,商家
order_placed,2026-10-01 12:00:00,E1,H1,58.50,,如家
order_paid,2026-10-01 12:05,E1,H1,,58.5,
Order Cancelled,2026/10/2 9:00:00,E1,H1,,,
page_viewed,1759300000,E2,,,,
page_viewed,whenever,E2,,,,
order_paid,2026-10-01,E3,,,,
"""


def run_command(path: Path, *arguments: str) -> CustomerImport:
    call_command("import_events", str(path), *arguments, stdout=StringIO(), stderr=StringIO())
    return CustomerImport.objects.filter(kind="events").latest("pk")


def test_a_file_gives_events_and_orders_and_names_its_bad_rows(tmp_path: Path) -> None:
    run = run_command(write(tmp_path / "a.csv", FILE))
    assert (run.created, run.duplicates, run.bad, run.people) == (4, 0, 2, 2)
    assert problems(run) == [(6, "occurred_at", "moment"), (7, "order_number", "said")]
    order = Order.objects.get()
    assert (order.number, order.state, str(order.amount_paid)) == ("H1", "cancelled", "58.50")
    first = Event.objects.get(name="order_placed")
    assert first.occurred_at == datetime(2026, 10, 1, 4, tzinfo=UTC)
    assert first.properties == {"amount_due": 58.5, "商家": "如家"}
    assert Customer.objects.get(external_id="E1").provisional
    again = run_command(write(tmp_path / "b.csv", FILE + "\n"))
    assert (again.created, again.duplicates) == (0, 4)


def test_a_reversed_file_a_month_late_gives_the_same_orders(tmp_path: Path) -> None:
    header, *rows = FILE.strip().splitlines()
    run_command(write(tmp_path / "a.csv", FILE))
    facts = list(Order.objects.values("number", "state", "amount_due", "amount_paid", "placed_at", "told_at"))
    for model in (Event, Order):
        model.objects.all().delete()
    from notifyhub.customers.models import EventKey

    EventKey.objects.all().delete()
    run_command(write(tmp_path / "b.csv", "\n".join([header, *reversed(rows)])))
    assert list(Order.objects.values(*facts[0])) == facts


def test_columns_are_mapped_by_hand_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "what,when,who\nseen,2026-10-01,E1\n")
    with pytest.raises(CommandError, match="Event"):
        run_command(path)
    mapping = ("--map", "what=name", "when=occurred_at", "who=external_id")
    out = StringIO()
    call_command("import_events", str(path), *mapping, "--dry-run", stdout=out, stderr=StringIO())
    assert "1 rows can be imported" in out.getvalue()
    assert not Event.objects.exists()
    assert run_command(path, *mapping).created == 1


def test_events_of_a_file_wait_for_unknown_customers_by_policy(tmp_path: Path) -> None:
    change_policy(unknown="park", waiting_days=30, version=None)
    make_customer(external_id="E1")
    run = run_command(write(tmp_path / "a.csv", FILE))
    assert (run.created, run.parked, run.people) == (3, 1, 0)
    assert ParkedEvent.objects.get().source == "csv"


def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    from notifyhub.customers.services.events.importing.importer import EVENT_IMPORT as running
    from notifyhub.customers.services.importing.plans import ImportPlan

    path = write(tmp_path / "a.csv", FILE)
    mapping = ("name", "occurred_at", "external_id", "order_number", "property:amount_due", "", "")
    run = running.begin_import(path=path, file_name="a.csv", plan=ImportPlan(mapping=mapping))
    CustomerImport.objects.filter(pk=run.pk).update(cursor=3)
    assert running.begin_import(path=path, file_name="a.csv", plan=ImportPlan(mapping=mapping)).pk == run.pk
    done = running.run_import(run_id=run.pk)
    assert (done.state, done.created, done.total) == ("done", 1, 6)


def test_a_file_goes_from_upload_to_result(client: Client) -> None:
    client.force_login(make_user("operations"))
    answer = client.post(
        reverse("admin:customers_event_import"),
        {"file": SimpleUploadedFile("a.csv", FILE.encode("gb18030"))},
    )
    run = CustomerImport.objects.get()
    columns = reverse("admin:customers_event_import_columns", args=[run.pk])
    assert answer.headers["Location"] == columns
    shown = client.get(columns).content.decode()
    assert "GB18030" in shown
    assert "This is not a time." in shown
    width = len(run.plan["mapping"])
    mapping = {f"column-{n}": field for n, field in enumerate(run.plan["mapping"])}
    wrong = client.post(columns, {f"column-{n}": "name" for n in range(width)} | {"do": "start"})
    assert wrong.status_code == 422
    assert not Event.objects.exists()
    started = client.post(columns, {**mapping, "do": "start"})
    result = reverse("admin:customers_event_import_result", args=[run.pk])
    assert started.headers["Location"] == result
    assert run_waiting_jobs() == 1
    assert "Rows that were not taken" in client.get(result).content.decode()
    run.refresh_from_db()
    assert (run.state, run.created, run.bad) == ("done", 4, 2)
    assert not Path(run.path).exists()
    listed = client.get(reverse("admin:customers_event_import_problems", args=[run.pk]))
    assert b"Occurred at" in b"".join(listed.streaming_content)
    verbs = set(AuditEntry.objects.values_list("verb", flat=True))
    assert {"import_events", "finish_event_import"} <= verbs
    # The imports of customers are another list.
    assert client.get(reverse("admin:customers_customer_import_result", args=[run.pk])).status_code == 404


def test_only_their_own_imports_are_shown_to_those_who_may(client: Client) -> None:
    client.force_login(make_user("operations"))
    client.post(reverse("admin:customers_event_import"), {"file": SimpleUploadedFile("a.csv", FILE.encode())})
    run = CustomerImport.objects.get()
    url = reverse("admin:customers_event_import_columns", args=[run.pk])
    client.force_login(make_user("marketing_editor"))
    assert client.get(url).status_code == 403
    assert client.post(reverse("admin:customers_event_import_discard", args=[run.pk])).status_code == 403
