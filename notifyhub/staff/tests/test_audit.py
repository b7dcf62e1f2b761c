"""The audit trail: append-only, sealed, verifiable, searchable."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifyhub.staff.context import Actor, acting
from notifyhub.staff.models import AuditEntry, AuditLink
from notifyhub.staff.services import audit
from notifyhub.staff.services.api_keys import create_api_key
from notifyhub.staff.services.sealing import seal_entries, seal_stragglers, verify_chain
from notifyhub.staff.tests.factories import make_team, make_user

pytestmark = pytest.mark.django_db


@contextmanager
def tampering() -> Iterator[Any]:
    """Do what the owner of the tables could: switch the guards off, change, switch them on."""
    with connection.cursor() as cursor:
        for table in ("staff_auditentry", "staff_auditlink"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("SET session_replication_role = 'replica'")
        yield cursor
        cursor.execute("SET session_replication_role = 'origin'")
        for table in ("staff_auditentry", "staff_auditlink"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def write(count: int) -> list[AuditEntry]:
    """Write entries about the same team."""
    team = make_team()
    return [audit.record(verb="update_team", obj=team, number=number) for number in range(count)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE staff_auditentry SET actor = 'nobody'",
        "DELETE FROM staff_auditentry",
        "UPDATE staff_auditlink SET sealed_at = now()",
        "DELETE FROM staff_auditlink",
    ],
)
def test_the_database_refuses_to_change_the_trail(statement: str) -> None:
    write(1)
    seal_entries()
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_the_database_refuses_to_empty_the_trail() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL notifyhub.allow_truncate = 'off'")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute("TRUNCATE staff_auditentry, staff_auditlink")


def test_each_entry_is_sealed_once_and_the_chain_holds(capsys: Any) -> None:
    write(3)
    assert seal_entries() == 3
    write(2)
    assert seal_entries() == 2
    assert seal_entries() == 0

    call_command("verify_audit")
    assert "5 entries hold, 0 wait to be sealed. Head: 5:" in capsys.readouterr().out


def test_an_altered_entry_is_found() -> None:
    entries = write(3)
    seal_entries()
    with tampering() as cursor:
        cursor.execute("UPDATE staff_auditentry SET reason = 'x' WHERE id = %s", [entries[1].pk])

    with pytest.raises(CommandError, match=f"place 2: audit entry {entries[1].pk} was altered"):
        call_command("verify_audit")


def test_a_deleted_entry_is_found() -> None:
    entries = write(3)
    seal_entries()
    with tampering() as cursor:
        cursor.execute("DELETE FROM staff_auditentry WHERE id = %s", [entries[1].pk])

    verdict = verify_chain()
    assert (verdict.problem, verdict.place, verdict.entry_id) == ("missing", 2, entries[1].pk)


def test_an_entry_deleted_with_its_seal_leaves_a_gap() -> None:
    entries = write(3)
    seal_entries()
    with tampering() as cursor:
        cursor.execute("DELETE FROM staff_auditlink WHERE place = 2")
        cursor.execute("DELETE FROM staff_auditentry WHERE id = %s", [entries[1].pk])

    with pytest.raises(CommandError, match=r"place 2: the link is missing\. The 1 before it hold"):
        call_command("verify_audit")


def test_an_anchor_kept_elsewhere_shows_a_cut_off_end() -> None:
    write(3)
    seal_entries()
    head = verify_chain()
    with tampering() as cursor:
        cursor.execute("DELETE FROM staff_auditlink WHERE place = 3")

    assert verify_chain().problem == ""
    assert verify_chain(anchors={head.place: head.digest}).problem == "gap"
    with pytest.raises(CommandError):
        call_command("verify_audit", "--anchor", f"3:{head.digest.hex()}")
    with pytest.raises(CommandError, match="not PLACE:DIGEST"):
        call_command("verify_audit", "--anchor", "nonsense")


def test_an_entry_that_commits_late_is_sealed_when_it_shows() -> None:
    entries = write(3)
    with tampering() as cursor:
        cursor.execute("UPDATE staff_auditentry SET id = id + 1000000 WHERE id <> %s", [entries[0].pk])
        cursor.execute("UPDATE staff_auditentry SET id = id - 1000000 WHERE false")
    seal_entries()
    late = AuditEntry(pk=entries[0].pk + 1, actor_kind="system", actor="system", verb="late")
    late.save(force_insert=True)

    assert seal_entries() + seal_stragglers() == 1
    assert AuditLink.objects.get(entry=late).place == 4
    assert verify_chain().problem == ""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    detail=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
        st.one_of(
            st.integers(-(2**70), 2**70),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20),
            st.booleans(),
            st.none(),
        ),
        max_size=4,
    )
)
def test_whatever_the_detail_holds_the_seal_is_stable(detail: dict[str, Any]) -> None:
    AuditEntry.objects.create(actor_kind="system", actor="system", verb="test", detail=detail)
    seal_entries()
    assert verify_chain().problem == ""


def test_the_page_finds_by_actor_act_and_object_and_offers_no_change(client: Client) -> None:
    lin = make_user("agent", username="lin", display_name="林小满")
    team = make_team("Growth")
    with acting(Actor(kind="staff", id=lin.pk, name=str(lin))):
        audit.record(verb="update_team", obj=team)
    create_api_key(name="shop", scopes=["events:write"])
    seal_entries()
    client.force_login(make_user("administrator"))
    url = reverse("admin:staff_auditentry_changelist")

    for term, found, hidden in (
        ("林小", "Changed a team", "Created an API key"),
        ("update team", "Changed a team", "Created an API key"),
        (f"staff.team:{team.pk}", "Changed a team", "Created an API key"),
        ("create_api", "Created an API key", "Growth"),
    ):
        page = client.get(url, {"q": term}).content.decode()
        table = page[page.index("result_list") :]
        assert found in table
        assert hidden not in table.split("</table>")[0]
    entry = AuditEntry.objects.get(verb="update_team")
    page = client.get(reverse("admin:staff_auditentry_change", args=[entry.pk]))
    assert bytes(entry.link.digest).hex() in page.content.decode()
    assert b'name="_save"' not in page.content


def test_the_audit_list_needs_the_same_number_of_queries_for_more_rows(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    write(40)
    seal_entries()
    client.force_login(make_user("administrator"))
    with django_assert_max_num_queries(9):
        client.get(reverse("admin:staff_auditentry_changelist"))
