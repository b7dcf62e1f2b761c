"""What customer service shows and does on the pages of others."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from feedback.admin.thread import WORDS
from feedback.models import Case, Category, SlaPolicy
from feedback.personal_data import erase_cases, export_cases
from feedback.services import notes
from feedback.services.categories import ensure_categories
from feedback.tests.factories import category, make_agent, make_case
from notifyhub.core.registry import origins
from notifyhub.customers.services.merging import merge_customers, undo_merge
from notifyhub.customers.services.timeline import timeline_page
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_version
from notifyhub.staff.tests.factories import make_user
from notifyhub.staff.verbs import VERBS

pytestmark = pytest.mark.django_db


def test_the_customers_page_shows_cases_and_a_button_to_log_a_call(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent)
    page = client.get(reverse("admin:customers_customer_change", args=[case.customer_id])).content.decode()
    assert f"{reverse('admin:feedback_case_add')}?customer={case.customer_id}" in page
    panel = client.get(reverse("admin:customers_customer_panel", args=[case.customer_id, "feedback"]))
    assert case.summary in panel.content.decode()
    form = client.get(reverse("admin:feedback_case_add"), {"customer": case.customer_id})
    assert form.context["customer"] == case.customer
    request: Any = form.wsgi_request
    entries = timeline_page(customer_id=case.customer_id or 0, request=request).entries
    assert [entry.title for entry in entries if entry.kind == "case"] == [case.summary]


def test_the_quick_log_is_on_every_page_of_those_who_may_log(client: Client) -> None:
    client.force_login(make_agent())
    assert 'id="fb-log"' in client.get(reverse("admin:index")).content.decode()
    client.force_login(make_agent("quality_reviewer"))
    assert 'id="fb-log"' not in client.get(reverse("admin:index")).content.decode()


def test_a_reply_names_its_case_as_origin() -> None:
    case = make_case(make_agent())
    origin = origins.get("case")
    assert origin is not None
    title, url = origin.resolve([case.number, "C000000-00000-0"])[case.number]
    assert case.number in title
    assert url == reverse("admin:feedback_case_change", args=[case.pk])


def test_a_customers_copy_has_the_thread_without_our_notes_and_erasing_empties_it() -> None:
    agent = make_agent()
    case = make_case(agent, phone="13866665555", detail="He left it in the rain.")
    notes.add_note(case_id=case.pk, actor=agent, body="Rude caller")
    copy = export_cases(case.customer_id or 0)
    assert copy[0]["phone"] == "+8613866665555"
    assert "Rude caller" not in str(copy)
    assert erase_cases(case.customer_id or 0) == 1
    erased = Case.objects.get(pk=case.pk)
    assert (erased.contact_phone, erased.contact_hash, erased.contact_last4) == (None, None, "")
    assert (erased.detail, erased.number, erased.state) == ("", case.number, case.state)
    assert not erased.interactions.exclude(body="—").exists()


def test_cases_follow_their_customer_through_a_merge_and_back(
    django_capture_on_commit_callbacks: Any,
) -> None:
    agent = make_agent()
    kept, merged = make_customer(), make_customer()
    case = make_case(agent, customer_id=merged.pk)
    with django_capture_on_commit_callbacks(execute=True):
        merge = merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    case.refresh_from_db()
    assert case.customer == kept
    with django_capture_on_commit_callbacks(execute=True):
        undo_merge(merge_id=merge.pk)
    case.refresh_from_db()
    assert case.customer == merged


def test_leads_set_up_categories_and_limits_and_agents_do_not(client: Client) -> None:
    lists = [reverse(f"admin:feedback_{name}_changelist") for name in ("category", "slapolicy")]
    client.force_login(make_agent())
    assert [client.get(url).status_code for url in lists] == [403, 403]
    client.force_login(make_user("service_lead"))
    assert [client.get(url).status_code for url in lists] == [200, 200]
    parent = category("late")
    facts = {"code": "too-late", "name": "Too late", "severity": "S3", "position": "1", "icon": "label"}
    add = reverse("admin:feedback_category_add")
    assert client.post(add, {**facts, "parent": parent.pk, "active": "on"}).status_code == 302
    leaf = Category.objects.get(code="too-late")
    assert leaf.level == 3
    deeper = client.post(add, {**facts, "code": "deeper", "parent": leaf.pk, "active": "on"})
    assert deeper.status_code == 200
    assert "three levels" in deeper.content.decode()
    taken = client.post(add, {**facts, "code": "ninth", "digit": "1", "active": "on"})
    assert "digit already" in taken.content.decode()
    policy = SlaPolicy.objects.get(severity="S4")
    change = reverse("admin:feedback_slapolicy_change", args=[policy.pk])
    minutes = dict.fromkeys(("ack_minutes", "first_reply_minutes", "resolve_minutes"), "7")
    post = {**minutes, "reopened_resolve_minutes": "7", "expected_version": policy.version}
    assert client.post(change, post).status_code == 302
    policy.refresh_from_db()
    assert (policy.resolve_minutes, policy.version) == (7, 2)


def test_eight_first_categories_have_a_digit_and_both_names() -> None:
    top = Category.objects.filter(level=1).order_by("digit")
    assert [row.digit for row in top] == list(range(1, 9))
    assert all(row.name and row.name_zh for row in Category.objects.all())
    assert ensure_categories() == 0


def test_everything_done_with_a_case_has_words_in_the_audit_trail() -> None:
    kinds = set(WORDS) - {"receive", "reply_failed", "customer_merged", "customer_unmerged"}
    assert {f"{kind}_case" for kind in kinds} <= set(VERBS)


@pytest.mark.parametrize(("role", "reads"), [("agent", True), ("marketing_editor", False)])
def test_the_ledger_links_a_reply_to_its_case_for_those_who_may_open_it(
    client: Client, role: str, reads: bool
) -> None:
    case = make_case(make_agent())
    dispatch = make_dispatch(version=make_version(), origin_kind="case", origin_id=case.number)
    delivery = make_delivery(dispatch, make_customer().pk)
    client.force_login(make_user(role))
    link = reverse("admin:feedback_case_change", args=[case.pk])
    pages = [
        reverse("admin:messaging_delivery_changelist"),
        reverse("admin:messaging_delivery_page", args=[delivery.reference]),
        reverse("admin:messaging_dispatch_change", args=[dispatch.pk]),
    ]
    for page in pages:
        words = client.get(page).content.decode()
        assert (link in words) is reads
        assert reads or case.summary not in words
