"""The import by clicking, from the upload to the result."""

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from notifyhub.customers.models import Consent, Customer, CustomerImport
from notifyhub.customers.services.importing import uploads
from notifyhub.customers.tests.factories import make_customer, make_topic
from notifyhub.customers.tests.importing import write_sheet
from notifyhub.staff.models import AuditEntry, User
from notifyhub.staff.services.jobs import run_waiting_jobs
from notifyhub.staff.tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folder")]

FILE = "会员号,姓名,手机号,邮箱\nE1,王芳,13800001111,\nE2,李雷,12,\nE3,,,c@mail.example\n"


def page(name: str, run: CustomerImport | None = None) -> str:
    suffix = f"_{name}" if name else ""
    return reverse(f"admin:customers_customer_import{suffix}", args=[run.pk] if run else [])


def upload(client: Client, text: str | bytes = FILE, name: str = "a.csv") -> CustomerImport:
    content = text.encode("gb18030") if isinstance(text, str) else text
    response = client.post(page(""), {"file": SimpleUploadedFile(name, content)})
    assert response.status_code == 302, response.content.decode()[-2000:]
    return CustomerImport.objects.get()


def test_a_file_goes_from_upload_to_result(client: Client, operator: User) -> None:
    make_topic("deals")
    run = upload(client)
    columns = client.get(page("columns", run)).content.decode()
    assert "GB18030" in columns
    assert "138****1111" in columns
    assert "13800001111" not in columns
    assert "This is not a phone number." in columns
    mapping = {f"column-{n}": field for n, field in enumerate(["external_id", "name", "phone", "email"])}
    response = client.post(page("columns", run), {**mapping, "do": "next"})
    assert response.headers["Location"] == page("consent", run)
    response = client.post(page("consent", run), {"decision": "agreed", "topics": ["deals"]})
    assert response.status_code == 422
    assert "Needed for a consent." in response.content.decode()
    consent = {
        "decision": "agreed",
        "topics": ["deals"],
        "channels": ["sms", "email"],
        "source": "counter",
        "given_on": "2026-01-01",
        "proof": "box 7",
    }
    assert client.post(page("consent", run), consent).headers["Location"] == page("confirm", run)
    assert "counter" in client.get(page("confirm", run)).content.decode()
    assert not Customer.objects.exists()
    assert client.post(page("confirm", run)).headers["Location"] == page("result", run)
    assert run_waiting_jobs() == 1
    result = client.get(page("result", run)).content.decode()
    assert "Rows that were not taken" in result
    run.refresh_from_db()
    assert (run.state, run.created, run.bad, run.consents, run.total) == ("done", 2, 1, 4, 3)
    assert (run.job.state, run.job.result["created"]) == ("done", 2)
    assert not Path(run.path).exists()
    listed = b"".join(client.get(page("problems", run)).streaming_content).decode("utf-8-sig")
    assert listed.splitlines()[1].startswith("3,Phone,**,")
    assert AuditEntry.objects.get(verb="import_customers").actor_id == operator.pk


def test_nobody_gets_promotions_unless_it_is_said(client: Client, operator: User) -> None:
    run = upload(client)
    assert client.get(page("confirm", run)).headers["Location"] == page("consent", run)
    client.post(page("confirm", run))
    assert CustomerImport.objects.get().state == "draft"
    client.post(page("consent", run), {"decision": "nobody"})
    assert "Nobody in this file can get promotions" in client.get(page("confirm", run)).content.decode()
    client.post(page("confirm", run))
    client.post(page("confirm", run))
    assert run_waiting_jobs() == 1
    assert not Consent.objects.exists()
    assert Customer.objects.count() == 2


def test_columns_are_mapped_by_hand_and_mistakes_said_in_place(client: Client, operator: User) -> None:
    run = upload(client, "a,b\nE1,13800001111\n")
    wrong = client.post(page("columns", run), {"column-0": "phone", "column-1": "phone", "do": "next"})
    assert wrong.status_code == 422
    assert "Two columns are mapped" in wrong.content.decode()
    nobody = client.post(page("columns", run), {"column-0": "", "column-1": "name", "do": "next"})
    assert "Map at least one column" in nobody.content.decode()
    client.post(page("columns", run), {"column-0": "external_id", "column-1": "phone", "do": "check"})
    assert CustomerImport.objects.get().plan["mapping"] == ["external_id", "phone"]


@pytest.mark.parametrize("forged", ["rubbish", "attribute:", "\x00", "column-0"])
def test_a_field_that_no_form_offers_is_refused_in_place(client: Client, operator: User, forged: str) -> None:
    run = upload(client)
    answer = client.post(page("columns", run), {"column-0": forged, "do": "next"})
    assert answer.status_code == 422
    assert "Unknown field" in answer.content.decode()


def test_a_workbook_is_read_from_upload_to_result(client: Client, operator: User, tmp_path: Path) -> None:
    rows = [["customer number", "email"], ["x-1", "li@mail.example"], ["x-2", "wu@mail.example"]]
    run = upload(client, write_sheet(tmp_path / "a.xlsx", rows).read_bytes(), "a.xlsx")
    client.post(page("consent", run), {"decision": "nobody"})
    client.post(page("confirm", run))
    run_waiting_jobs()
    assert set(Customer.objects.values_list("external_id", flat=True)) == {"x-1", "x-2"}


def test_another_encoding_or_delimiter_reads_the_file_again(client: Client, operator: User) -> None:
    run = upload(client)
    again = {"encoding": "utf-8", "delimiter": ";", "do": "reread"}
    assert client.post(page("columns", run), again).status_code in (302, 422)
    assert client.get(page("columns", run)).status_code == 200


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfe"])
def test_an_unusable_upload_is_refused_and_not_kept(client: Client, operator: User, content: bytes) -> None:
    response = client.post(page(""), {"file": SimpleUploadedFile("a.xlsx", content)})
    assert response.status_code == 422
    assert not CustomerImport.objects.exists()
    assert list(uploads.uploads_folder().iterdir()) == []


def test_old_uploads_are_swept(client: Client, operator: User) -> None:
    run = upload(client)
    assert uploads.sweep_uploads() == 0
    import os

    os.utime(run.path, (0, 0))
    CustomerImport.objects.update(created_at="2020-01-01T00:00Z")
    assert uploads.sweep_uploads() == 1
    assert not CustomerImport.objects.exists()
    assert client.get(page("columns", run)).status_code == 404


def test_a_draft_is_discarded_with_its_file(client: Client, operator: User) -> None:
    run = upload(client)
    assert client.get(page("discard", run)).status_code == 405
    client.post(page("discard", run))
    assert not Path(run.path).exists()
    assert not CustomerImport.objects.exists()


def test_only_who_may_import_sees_the_pages_and_only_their_own(client: Client, operator: User) -> None:
    run = upload(client)
    client.force_login(make_user("marketing_editor"))
    assert client.get(page("")).status_code == 200
    assert client.get(page("columns", run)).status_code == 404
    assert client.get(page("problems", run)).status_code == 404
    client.force_login(make_user("agent"))
    for name in ("", "columns", "consent", "confirm", "result", "problems"):
        assert client.get(page(name, run if name else None)).status_code == 403
    assert client.post(page("")).status_code == 403


def test_the_list_shows_the_buttons_to_those_who_may(client: Client, operator: User) -> None:
    make_customer()
    url = reverse("admin:customers_customer_changelist")
    assert page("") in client.get(url).content.decode()
    client.force_login(make_user("agent"))
    assert page("") not in client.get(url).content.decode()


def test_the_pages_ask_as_much_for_many_bad_rows_as_for_few(
    client: Client, operator: User, django_assert_max_num_queries
) -> None:
    run = upload(client, "id,phone\n" + "".join(f"E{n},1\n" for n in range(3000)))
    with django_assert_max_num_queries(40):
        client.get(page("columns", run))
    client.post(page("consent", run), {"decision": "nobody"})
    client.post(page("confirm", run))
    run_waiting_jobs()
    for address in (page("result", run), page("")):
        with django_assert_max_num_queries(30):
            assert client.get(address).status_code == 200
