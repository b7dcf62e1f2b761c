"""What an import does to the customers."""

from pathlib import Path

import pytest
from django.core.management import CommandError
from django.utils import timezone, translation

from notifyhub.customers.models import Consent, ConsentRecord, ContactPoint, Customer, ImportProblem, Segment
from notifyhub.customers.services.importing.problems import problem_lines
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.customers.tests.importing import problems, run_command, write
from notifyhub.staff.models import AuditEntry

pytestmark = pytest.mark.django_db


def test_it_finds_a_customer_by_number_then_phone_then_email(tmp_path: Path) -> None:
    by_number = make_customer(external_id="E1")
    by_phone = make_customer(external_id=None, phone="13911110000")
    by_email = make_customer(external_id=None, phone=None, email="old@mail.example")
    text = "id,phone,email,city\nE1,,,上海\n,139 1111 0000,,北京\nE9,,OLD@mail.example,广州\n"
    run = run_command(write(tmp_path / "a.csv", text))
    assert (run.created, run.updated) == (0, 3)
    for customer, city in ((by_number, "上海"), (by_phone, "北京"), (by_email, "广州")):
        customer.refresh_from_db()
        assert (customer.city, customer.version) == (city, 2)
    assert by_email.external_id == "E9"


def test_two_numbers_with_one_phone_are_two_customers(tmp_path: Path) -> None:
    make_customer(external_id="E1", phone="13911110000")
    run = run_command(write(tmp_path / "a.csv", "id,phone\nE2,13911110000\nE3,13911110000\n"))
    assert (run.created, run.duplicates) == (2, 0)


def test_empty_cells_erase_nothing_and_lists_are_merged(tmp_path: Path) -> None:
    make_customer(external_id="E1", name="王芳", city="上海", tags=["a"], attributes={"level": 3, "x": "y"})
    run_command(write(tmp_path / "a.csv", "id,name,city,tags,level,z\nE1,,北京,b|a,3,1\n"))
    customer = Customer.objects.get()
    assert (customer.name, customer.city, customer.tags) == ("王芳", "北京", ["a", "b"])
    assert customer.attributes == {"level": 3, "x": "y", "z": "1"}


def test_a_replaced_phone_stays_as_a_former_one(tmp_path: Path) -> None:
    customer = make_customer(external_id="E1", phone="13911110000")
    run = run_command(write(tmp_path / "a.csv", "id,phone\nE1,13922220000\n"))
    assert run.updated == 1
    rows = customer.contact_points.filter(kind="phone").order_by("id")
    assert [(row.value, row.primary) for row in rows] == [
        ("+8613911110000", False),
        ("+8613922220000", True),
    ]
    run_command(write(tmp_path / "b.csv", "id,phone\nE1,13911110000\n"))
    assert [row.primary for row in rows.all()] == [True, False]


def test_the_later_of_two_rows_wins_and_the_earlier_is_reported(tmp_path: Path) -> None:
    known = make_customer(external_id="E1", phone="13911110000")
    text = "id,name,phone\nE1,old,\nE2,b,13900000002\n,new,13911110000\nE2,c,13900000022\n"
    run = run_command(write(tmp_path / "a.csv", text))
    assert (run.created, run.updated, run.duplicates, run.bad) == (1, 1, 2, 0)
    assert problems(run) == [(2, "", "repeated"), (3, "", "repeated")]
    known.refresh_from_db()
    assert known.name == "new"
    assert ContactPoint.objects.filter(customer__external_id="E2").count() == 2


def test_a_merged_customer_is_followed_and_an_erased_one_left_alone(tmp_path: Path) -> None:
    kept = make_customer(external_id="E1")
    Customer.objects.filter(pk=make_customer(external_id="E2").pk).update(state="merged", merged_into=kept)
    Customer.objects.filter(pk=make_customer(external_id="E3").pk).update(state="erased")
    run = run_command(write(tmp_path / "a.csv", "id,city\nE2,成都\nE3,成都\n"))
    assert problems(run) == [(3, "external_id", "erased")]
    kept.refresh_from_db()
    assert kept.city == "成都"


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,name,phone,tags,level\nE1,a,13900000001,x,1\nE2,b,13900000002,,\n")
    run_command(path)
    before = list(Customer.objects.order_by("id").values())
    run = run_command(path)
    assert (run.created, run.updated, run.unchanged) == (0, 0, 2)
    assert list(Customer.objects.order_by("id").values()) == before


CONSENT = ("--consent", "deals:sms,deals:email", "--consent-source", "old crm", "--proof", "contract 7")


def test_consent_is_recorded_with_its_proof_once(tmp_path: Path) -> None:
    make_topic("deals")
    path = write(tmp_path / "a.csv", "id,phone\nE1,13900000001\nE2,13900000002\n")
    run = run_command(path, *CONSENT, "--consent-date", "2026-01-02")
    assert (run.consents, Consent.objects.filter(decision="in").count()) == (4, 4)
    record = ConsentRecord.objects.first()
    assert (record.source, record.proof) == ("old crm", "contract 7")
    assert run_command(path, *CONSENT, "--consent-date", "2026-01-02").consents == 0
    assert ConsentRecord.objects.count() == 4


def test_an_import_never_overturns_a_newer_opt_out(tmp_path: Path) -> None:
    topic = make_topic("deals")
    left, joined = make_customer(external_id="E1"), make_customer(external_id="E2")
    opt_in(left, topic, "sms", decision="out")
    long_ago = timezone.now() - timezone.timedelta(days=3000)
    Consent.objects.create(customer=joined, topic=topic, channel="sms", decision="out", given_at=long_ago)
    path = write(tmp_path / "a.csv", "id\nE1\nE2\n")
    run = run_command(path, *CONSENT, "--consent-date", "2026-01-02")
    assert run.opt_outs_kept == 1
    assert left.consents.get(channel="sms").decision == "out"
    assert joined.consents.get(channel="sms").decision == "in"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((*CONSENT, "--consent-date", "2099-01-01"), "future"),
        ((*CONSENT, "--consent-date", "soon"), "Write the date"),
        (("--consent", "deals:sms", "--consent-date", "2026-01-01"), "where the consent comes from"),
        (("--consent", "nothing:sms", *CONSENT[2:], "--consent-date", "2026-01-01"), "no active topic"),
        (("--consent", "deals:fax", *CONSENT[2:], "--consent-date", "2026-01-01"), "Unknown channel"),
        (("--map", "id=phone", "phone=phone", "nope=city"), "no column"),
        (("--encoding", "ebcdic"), "Unknown encoding"),
    ],
)
def test_a_plan_that_cannot_stand_is_refused(tmp_path: Path, arguments, sentence) -> None:
    make_topic("deals")
    with pytest.raises(CommandError, match=sentence):
        run_command(write(tmp_path / "a.csv", "id,phone\nE1,13900000001\n"), *arguments)


def test_bad_rows_are_listed_masked_in_the_readers_language(tmp_path: Path) -> None:
    text = "id,phone,email\nE1,1380000111122223,\nE2,,not a mailbox\n,,\nE4,=1+1,\n"
    errors = tmp_path / "errors.csv"
    run = run_command(write(tmp_path / "a.csv", text), "--errors", str(errors))
    listed = errors.read_text(encoding="utf-8-sig")
    assert "1380000" not in listed
    assert "138****23" in listed
    assert run.bad == 3
    with translation.override("zh-hans"):
        assert "".join(problem_lines(run)).count("\n") == 4


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path, capsys) -> None:
    run_id = ImportProblem.objects.count()
    from django.core.management import call_command

    path = write(tmp_path / "a.csv", "id,phone\nE1,13900000001\nE2,1\n")
    call_command("import_customers", str(path), "--dry-run")
    assert "1 rows can be imported (1 new, 0 known customers), 1 cannot." in capsys.readouterr().out
    assert (Customer.objects.count(), ImportProblem.objects.count()) == (0, run_id)


def test_an_import_is_audited_without_personal_data(tmp_path: Path) -> None:
    run_command(write(tmp_path / "a.csv", "id,phone\nE1,13900000001\n"))
    entries = AuditEntry.objects.filter(verb__endswith="import_customers") | AuditEntry.objects.filter(
        verb="finish_customer_import"
    )
    assert entries.count() == 2
    assert not any("13900000001" in str(entry.detail) for entry in entries)


def test_the_people_of_a_file_go_on_a_static_list(tmp_path: Path) -> None:
    make_customer(external_id="E9")
    vip = Segment.objects.create(name="vip", kind="static")
    path = write(tmp_path / "a.csv", "id\nE1\nE2\n")
    for _time in range(2):
        run_command(path, "--list", "vip")
    vip.refresh_from_db()
    assert vip.count == 2
    assert set(vip.members.values_list("customer__external_id", flat=True)) == {"E1", "E2"}
    with pytest.raises(CommandError, match="no static list"):
        run_command(path, "--list", "nobody")
