"""Exports: masked, harmless, and read back unchanged."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation
from openpyxl import load_workbook

from notifyhub.customers.models import ContactPoint, Customer, Segment, SegmentMember
from notifyhub.customers.services.exporting.rows import COLUMNS, header
from notifyhub.customers.services.importing.columns import CUSTOMER_COLUMNS
from notifyhub.customers.tests.factories import make_customer
from notifyhub.customers.tests.importing import run_command
from notifyhub.staff.models import AuditEntry, Job
from notifyhub.staff.services.jobs import result_of, run_waiting_jobs
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def export(path: Path, *arguments: str) -> Path:
    call_command("export_customers", str(path), *arguments, stdout=StringIO(), stderr=StringIO())
    return path


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def make_difficult_customers() -> None:
    make_customer(
        external_id="E1",
        name='=HYPERLINK("http://x","y")',
        phone="+8613800001111",
        email="a@mail.example",
        city="＝上海",
        tags=["a,b", "新客"],
        attributes={"level": 3, "vip": True, "score": 1.5, "note": "two\nlines", "ＶＩＰ": "-1", "'=": "'=2"},
    )
    make_customer(external_id=None, name="'-quoted", phone="+442071838750", email=None, locale="en")
    make_customer(
        external_id="E3", name="", phone=None, email=None, time_zone="Europe/Berlin", provisional=True
    )
    make_customer(external_id="@E4", name="王 芳", attributes={"birthday": "1990-03-02"})


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("arguments", [(), ("--full",)])
def test_importing_an_export_changes_nothing(tmp_path: Path, suffix, arguments) -> None:
    make_difficult_customers()
    before = list(Customer.objects.order_by("id").values())
    contacts = list(ContactPoint.objects.order_by("id").values())
    run = run_command(export(tmp_path / f"a.{suffix}", *arguments))
    assert (run.created, run.updated, run.unchanged, run.bad, run.duplicates) == (0, 0, 4, 0, 0)
    assert list(Customer.objects.order_by("id").values()) == before
    assert list(ContactPoint.objects.order_by("id").values()) == contacts


def test_phone_and_email_are_masked_unless_full(tmp_path: Path) -> None:
    make_difficult_customers()
    masked = export(tmp_path / "a.csv").read_text(encoding="utf-8-sig")
    assert "13800001111" not in masked
    assert "138****1111" in masked
    assert "a@mail.example" not in masked
    full = cells(export(tmp_path / "b.csv", "--full"))
    assert full[1][3:5] == ["'+8613800001111", "a@mail.example"]


def test_no_cell_begins_like_a_formula(tmp_path: Path) -> None:
    make_difficult_customers()
    for row in cells(export(tmp_path / "a.csv", "--full")):
        assert not any(cell[:1] in tuple("=+-@\t\r\n＝＋－＠") for cell in row if cell)
    book = load_workbook(export(tmp_path / "a.xlsx", "--full"))
    kinds = {cell.data_type for row in book.active.iter_rows() for cell in row if cell.value is not None}
    assert kinds == {"s"}


def test_a_segment_alone_is_exported(tmp_path: Path) -> None:
    chosen, _other = make_customer(external_id="E1"), make_customer(external_id="E2")
    segment = Segment.objects.create(name="vip", kind="static")
    SegmentMember.objects.create(segment=segment, customer=chosen)
    rows = cells(export(tmp_path / "a.csv", "--segment", str(segment.pk)))
    assert [row[1] for row in rows[1:]] == ["E1"]
    with pytest.raises(CommandError, match="no segment"):
        export(tmp_path / "b.csv", "--segment", "0")
    assert not (tmp_path / "b.csv").exists()


def test_an_export_by_clicking_asks_for_a_reason_and_is_audited(client: Client, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    make_difficult_customers()
    user = make_user("operations")
    client.force_login(user)
    url = reverse("admin:customers_customer_export")
    assert client.get(url).status_code == 200
    assert client.post(url, {"form": "csv", "reason": ""}).status_code == 422
    # Operations may not reveal, so asking for full values by hand is not honoured.
    response = client.post(url, {"form": "csv", "reason": "yearly count", "full": "on"})
    assert response.status_code == 302
    assert run_waiting_jobs() == 1
    job = Job.objects.get()
    assert (job.state, job.result) == ("done", {"rows": 4})
    assert "13800001111" not in result_of(job).read_text(encoding="utf-8-sig")
    entry = AuditEntry.objects.get(verb="export_customers")
    assert (entry.reason, entry.actor_id, entry.detail["full"]) == ("yearly count", user.pk, False)
    client.force_login(make_user("senior_agent"))
    assert client.get(url).status_code == 403
    assert client.post(url, {"form": "csv", "reason": "x"}).status_code == 403


def test_full_values_need_the_permission_to_reveal(client: Client, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    make_difficult_customers()
    client.force_login(make_user())
    client.post(reverse("admin:customers_customer_export"), {"form": "xlsx", "reason": "x", "full": "on"})
    assert run_waiting_jobs() == 1
    sheet = load_workbook(result_of(Job.objects.get())).active
    assert "+8613800001111" in [cell.value for cell in sheet["D"]]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_column_names_are_understood_in_each_language(language: str) -> None:
    with translation.override(language):
        names = header(["level", "ＶＩＰ"])
    assert CUSTOMER_COLUMNS.guess_mapping(names) == [*COLUMNS, "attribute:level", "attribute:ＶＩＰ"]
