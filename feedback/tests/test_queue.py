"""The queue: who sees what, in which order, at a constant price."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from feedback.models import Case
from feedback.services.handling import claim_case
from feedback.tests.factories import category, make_agent, make_case
from notifyhub.core.registry import dashboard_cards, search
from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff.models import Membership, Team
from notifyhub.staff.tests.factories import make_team, make_user

pytestmark = pytest.mark.django_db
QUEUE = "admin:feedback_case_changelist"


def many_cases(count: int, **fields: Any) -> list[Case]:
    """Return bare rows as services leave them, without their threads."""
    now = timezone.now()
    kind = category()
    rows = [
        Case(
            number=f"C{n:015d}", category=kind, severity="S3", priority="P3", summary=f"Case {n}",
            fingerprint="x", created_at=now, state="open", next_metric="resolve",
            next_due_at=now + timedelta(minutes=n), **fields,
        )
        for n in range(1, count + 1)
    ]  # fmt: skip
    return Case.objects.bulk_create(rows, batch_size=2000)


def shown(client: Client, **query: Any) -> list[int]:
    """Return the ids of the rows of a view."""
    return [case.pk for case in client.get(reverse(QUEUE), query).context["cases"]]


def test_late_ones_come_first_then_by_due_time_then_those_without_a_clock(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    cases = [make_case(agent) for _n in range(4)]
    now = timezone.now()
    for case, due in zip(cases, (None, now + timedelta(hours=2), now - timedelta(hours=1), now), strict=True):
        Case.objects.filter(pk=case.pk).update(next_due_at=due, next_metric="resolve" if due else "")
    assert shown(client) == [cases[2].pk, cases[3].pk, cases[1].pk, cases[0].pk]


def test_views_hold_what_they_say_and_the_counts_agree(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    mine, new, waiting, late = make_case(agent), make_case(None), make_case(agent), make_case(agent)
    now = timezone.now()
    Case.objects.filter(pk=waiting.pk).update(state="wait_dept", wait_reason="x", wait_until=now)
    Case.objects.filter(pk=late.pk).update(next_due_at=now - timedelta(minutes=1), unanswered=True)
    Case.objects.filter(pk=mine.pk).update(next_due_at=now + timedelta(minutes=5))
    answer = client.get(reverse(QUEUE), {"view": "all"})
    views = {
        "mine": {mine.pk, waiting.pk, late.pk},
        "team": {mine.pk, waiting.pk, late.pk},
        "due": {mine.pk, new.pk},
        "breached": {late.pk},
        "replied": {late.pk},
        "unassigned": {new.pk},
        "waiting": {waiting.pk},
        "failed": set(),
        "all": {mine.pk, new.pk, waiting.pk, late.pk},
    }
    for name, expected in views.items():
        assert set(shown(client, view=name)) == expected, name
        assert answer.context["counts"][name] == len(expected), name


def test_pages_by_key_show_every_case_once(client: Client) -> None:
    lead = make_agent("service_lead")
    client.force_login(lead)
    ids = {case.pk for case in many_cases(60)}
    Case.objects.filter(pk__in=sorted(ids)[40:]).update(next_due_at=None, next_metric="")
    seen: list[int] = []
    after = ""
    while True:
        answer = client.get(reverse(QUEUE), {"view": "all", "after": after})
        seen += [case.pk for case in answer.context["cases"]]
        if not answer.context["more"]:
            break
        after = str(seen[-1])
    assert len(seen) == len(set(seen)) == 60
    assert set(seen) == ids


def test_the_queue_costs_the_same_with_ten_thousand_cases(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    agent = make_agent()
    client.force_login(agent)
    team = Team.objects.get(name="Service one")
    make_case(agent)
    costs = []
    for _round in range(2):
        for name in ("mine", "all", "resolved"):
            client.get(reverse(QUEUE), {"view": name})
            with CaptureQueriesContext(
                connection,
            ) as queries:
                client.get(reverse(QUEUE), {"view": name})
            costs.append(len(queries))
        many = many_cases(10_000, team=team, customer=make_customer()) if _round == 0 else []
        assert len(many) in (0, 10_000)
    assert costs[:3] == costs[3:]
    assert max(costs) <= 16


def test_an_unchanged_queue_answers_304_and_a_claim_changes_it(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(None)
    url = reverse("admin:feedback_case_rows")
    first = client.get(url, {"view": "all"})
    again = client.get(url, {"view": "all"}, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    claim_case(case_id=case.pk, actor=agent)
    assert client.get(url, {"view": "all"}, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_claim_is_one_click_and_the_loser_reads_who_was_faster(client: Client) -> None:
    first, second = make_agent(display_name="Zhou Ning"), make_agent()
    case = make_case(None)
    url = reverse("admin:feedback_case_claim", args=[case.pk])
    client.force_login(first)
    answer = client.post(url, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "Zhou Ning" in answer.content.decode()
    client.force_login(second)
    answer = client.post(url, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "Zhou Ning took this case" in answer.content.decode()
    assert client.get(url).status_code == 405


@pytest.mark.parametrize(
    "term", ["number", "order", "13822223333", "+86 138-2222-3333", "3333", "2223333", "Liu Wan", "hour late"]
)
def test_search_finds_by_what_callers_say_and_keeps_it_out_of_the_address(client: Client, term: str) -> None:
    agent = make_agent()
    client.force_login(agent)
    customer = make_customer(phone="13822223333", name="Liu Wanqing")
    case = make_case(agent, customer_id=customer.pk, order_number="F2611-8820-31")
    make_case(agent, summary="Something else")
    term = {"number": case.number.lower(), "order": "F2611-8820-31"}.get(term, term)
    answer = client.post(reverse(QUEUE), {"q": term}, follow=False)
    if answer.status_code == 302:
        assert answer["Location"] == reverse("admin:feedback_case_change", args=[case.pk])
    else:
        assert [row.pk for row in answer.context["cases"]] == [case.pk]
        assert answer.context["late"] == 0


def test_a_search_counts_the_late_ones_among_its_own_rows(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    make_case(agent, summary="Cold soup")
    late = make_case(agent, summary="Something else")
    Case.objects.filter(pk=late.pk).update(next_due_at=timezone.now() - timedelta(hours=1))
    assert client.post(reverse(QUEUE), {"q": "Cold soup"}).context["late"] == 0
    assert client.post(reverse(QUEUE), {"q": "Something else"}).context["late"] == 1


def test_odd_input_gets_an_answer(client: Client) -> None:
    client.force_login(make_agent())
    for query in ({"view": "nonsense"}, {"after": "99999999999999999999"}, {"after": "x"}, {"after": "7"}):
        assert client.get(reverse(QUEUE), query).status_code == 200
    for term in ("", "%", "\x00", "C261120-00417-4", "((", "，" * 300):
        assert client.post(reverse(QUEUE), {"q": term}).status_code in (200, 302)


ROLES = {
    # role: (own team's case, other team's case, may log, may claim)
    "agent": (True, False, True, True),
    "senior_agent": (True, False, True, True),
    "service_lead": (True, True, True, True),
    "quality_reviewer": (True, True, False, False),
    "analyst": (True, True, False, False),
    "department_member": (False, False, False, False),
    "marketing_editor": (False, False, False, False),
    "operations": (False, False, False, False),
    "administrator": (False, False, False, False),
}


@pytest.mark.parametrize(("role", "expected"), ROLES.items())
def test_each_role_sees_and_does_its_part_only(
    client: Client, role: str, expected: tuple[bool, bool, bool, bool]
) -> None:
    own = make_case(make_agent())
    other = make_case(make_agent(team="Service two"))
    user = make_user(role, username="looker")
    Membership.objects.create(user=user, team=make_team("Service one", "service"))
    client.force_login(user)
    pages = [client.get(reverse("admin:feedback_case_change", args=[case.pk])) for case in (own, other)]
    parts = [client.get(reverse("admin:feedback_case_thread", args=[case.pk])) for case in (own, other)]
    log = client.get(reverse("admin:feedback_case_add"))
    claim = client.post(reverse("admin:feedback_case_claim", args=[own.pk]))
    act = client.post(
        reverse("admin:feedback_case_act", args=[other.pk, "send"]), {"mode": "note", "body": "x"}
    )
    assert [page.status_code == 200 for page in pages] == list(expected[:2])
    assert [part.status_code == 200 for part in parts] == list(expected[:2])
    assert (log.status_code == 200) == expected[2]
    assert (claim.status_code == 302) == expected[3]
    assert (act.status_code == 302) == (expected[1] and expected[3])
    find = next(source for name, source in search.items() if name == "cases")
    request = pages[0].wsgi_request
    request.user = user
    found = {hit.url for hit in find(request, "hour late")}
    assert len(found) == sum(expected[:2])


def test_the_case_page_costs_the_same_however_long_the_thread(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent)
    costs = []
    for _round in range(2):
        for name in ("change", "thread", "customer"):
            url = reverse(f"admin:feedback_case_{name}", args=[case.pk])
            client.get(url)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url).status_code == 200
            costs.append(len(queries))
        post = {"mode": "note", "body": "One more line"}
        for _n in range(10):
            client.post(reverse("admin:feedback_case_act", args=[case.pk, "send"]), post)
            make_case(agent, customer_id=case.customer_id)
    assert costs[:3] == costs[3:]


def test_every_card_of_the_service_dashboard_is_drawn(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    names = [name for name, card in dashboard_cards.items() if "service" in card.boards]
    assert len(names) >= 4
    for _round in range(2):
        for name in names:
            answer = client.get(reverse("admin:console_card", args=[name]))
            assert answer.status_code == 200
            assert "could not be loaded" not in answer.content.decode()
        make_case(agent)


def test_the_reader_gets_no_composer_and_the_ended_case_no_reply(client: Client) -> None:
    case = make_case(make_agent())
    client.force_login(make_agent("quality_reviewer"))
    page = client.get(reverse("admin:feedback_case_change", args=[case.pk])).content.decode()
    assert "data-composer" not in page
    assert "fb-resolve" not in page
