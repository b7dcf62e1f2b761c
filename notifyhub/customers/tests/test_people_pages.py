from datetime import UTC, datetime

import pytest
from django.test import Client

from notifyhub.customers.models import Order, Segment, SegmentMember, Suppression, Topic
from notifyhub.customers.services.holds import place_hold
from notifyhub.customers.services.merging import merge_customers
from notifyhub.customers.services.segments import create_segment
from notifyhub.customers.services.suppressions import suppress_contact
from notifyhub.customers.tests.factories import make_customer, make_topic
from notifyhub.staff.roles import ROLES
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
HEFEI = {"field": "city", "operator": "in", "value": ["Hefei"]}
ROW = {"row": "a", "a-field": "city", "a-operator": "in", "a-value": "Hefei, Wuhan"}
VIEWERS = {
    "marketing_editor", "content_editor", "marketing_approver", "agent", "senior_agent", "service_lead",
    "analyst", "operations", "quality_reviewer",
}  # fmt: skip
SERVICE = {"agent", "senior_agent", "service_lead"}


def signed_in(role: str | None) -> Client:
    client = Client()
    client.force_login(make_user(role))
    return client


@pytest.mark.parametrize("role", sorted(ROLES))
def test_each_role_sees_its_part_and_only_that(role: str) -> None:
    customer, other, topic = make_customer(), make_customer(), make_topic()
    segment, suppressed = create_segment(name="S", kind="static"), suppress_contact(
        kind="phone", raw="13912345678", scope="all", note=""
    )  # fmt: skip
    hold = place_hold(customer_id=customer.pk, scope="promotions", reason="x")
    one = f"/admin/customers/customer/{customer.pk}"
    point = customer.contact_points.get(kind="phone").pk
    gets = {
        "/admin/customers/customer/": VIEWERS,
        f"{one}/change/": VIEWERS,
        f"{one}/timeline/": VIEWERS,
        f"{one}/consents/": VIEWERS,
        f"{one}/edit/": SERVICE,
        "/admin/customers/customer/add/": SERVICE,
        f"{one}/merge/?other={other.pk}": {"service_lead", "operations"},
        "/admin/customers/merge/": {"service_lead", "operations"},
        "/admin/customers/order/": VIEWERS,
        "/admin/customers/hold/": VIEWERS,
        "/admin/customers/topic/": VIEWERS,
        "/admin/customers/topic/add/": {"operations"},
        "/admin/customers/segment/": VIEWERS,
        f"/admin/customers/segment/{segment.pk}/change/": VIEWERS,
        "/admin/customers/segment/add/": {"marketing_editor"},
        "/admin/customers/suppression/": {"operations"},
        f"/admin/customers/suppression/{suppressed.pk}/change/": {"operations"},
        "/admin/customers/suppression/add/": {"operations"},
    }
    posts = {
        f"{one}/reveal/": (SERVICE, {"contact": point, "reason": "Call back"}),
        f"{one}/consent/": (
            SERVICE, {"topic": topic.pk, "channel": "sms", "decision": "out", "source": "chat"},
        ),
        f"{one}/contact/": (SERVICE, {"kind": "phone", "value": "13900007777"}),
        f"{one}/hold/": (SERVICE, {"scope": "promotions", "reason": "x"}),
        f"{one}/release/": (SERVICE, {"hold": hold.pk}),
        f"{one}/copy/": ({"operations"}, {"reason": "Asked by letter"}),
        f"{one}/erase/": ({"operations"}, {"reason": "Asked by letter", "typed": "no"}),
        "/admin/customers/customer/search/": (VIEWERS, {"term": "x"}),
        f"/admin/customers/segment/{segment.pk}/members/": ({"marketing_editor"}, {"numbers": "x"}),
        f"/admin/customers/segment/{segment.pk}/archive/": ({"marketing_editor"}, {}),
        f"/admin/customers/segment/{segment.pk}/count/": (VIEWERS, {}),
        "/admin/customers/suppression/search/": ({"operations"}, {"term": "x"}),
        f"/admin/customers/suppression/{suppressed.pk}/change/": ({"operations"}, {"reason": "Asked for it"}),
    }  # fmt: skip
    client = signed_in(role)
    for path, allowed in gets.items():
        assert (client.get(path).status_code == 200) == (role in allowed), path
    for path, (allowed, data) in posts.items():
        status = client.post(path, data).status_code
        assert (status != 403) == (role in allowed), (path, status)


def test_only_operations_may_make_a_topic_transactional() -> None:
    data = {
        "code": "codes", "name": "Codes", "name_zh": "", "message_class": "transactional",
        "legal_basis": "contract", "active": "on",
    }  # fmt: skip
    marketing = make_user("marketing_editor")
    from django.contrib.auth.models import Permission

    marketing.user_permissions.add(Permission.objects.get(codename="add_topic"))
    client = Client()
    client.force_login(marketing)
    answer = client.post("/admin/customers/topic/add/", data)
    assert "Only operations" in answer.content.decode()
    assert not Topic.objects.exists()
    assert signed_in("operations").post("/admin/customers/topic/add/", data).status_code == 302
    assert Topic.objects.get().message_class == "transactional"


def test_a_topic_is_changed_by_version_and_promotions_rest_on_consent() -> None:
    topic, client = make_topic("deals"), signed_in("operations")
    path = f"/admin/customers/topic/{topic.pk}/change/"
    data = {
        "name": "Deals",
        "name_zh": "优惠",
        "message_class": "promotional",
        "legal_basis": "consent",
        "active": "on",
    }
    refused = client.post(path, {**data, "legal_basis": "contract", "expected_version": 1})
    assert "rest on consent alone" in refused.content.decode()
    assert client.post(path, {**data, "expected_version": 1}).status_code == 302
    stale = client.post(path, {**data, "name": "Mine", "expected_version": 1})
    assert "Somebody changed this topic" in stale.content.decode()
    assert 'value="Mine"' in stale.content.decode()


def test_an_exact_number_is_looked_up_suppressed_and_lifted() -> None:
    client = signed_in("operations")
    base = "/admin/customers/suppression/"
    assert "Not suppressed" in client.post(base + "search/", {"term": "13912345678"}).content.decode()
    refused = client.post(base + "add/", {"kind": "phone", "value": "12", "scope": "all"})
    assert refused.status_code == 422
    client.post(
        base + "add/", {"kind": "phone", "value": "139 1234 5678", "scope": "all", "note": "By phone"}
    )
    row = Suppression.objects.get()
    found = client.post(base + "search/", {"term": "+8613912345678"}).content.decode()
    assert "139****5678" in found
    assert client.post(f"{base}{row.pk}/change/", {"reason": ""}).status_code == 422
    client.post(f"{base}{row.pk}/change/", {"reason": "She asked for it"})
    assert not Suppression.objects.in_force().exists()
    assert "139****5678" in client.get(base + "?state=lifted").content.decode()


def test_orders_are_read_only_and_found_by_number() -> None:
    client, customer = signed_in("agent"), make_customer()
    order = Order.objects.create(
        customer=customer, number="H-1", line="hotel", told_at=datetime(2026, 11, 1, tzinfo=UTC)
    )
    assert "H-1" in client.get("/admin/customers/order/?q=H-1").content.decode()
    assert client.get("/admin/customers/order/?q=%00").status_code == 200
    assert client.get(f"/admin/customers/order/{order.pk}/change/").status_code == 200
    assert client.post(f"/admin/customers/order/{order.pk}/change/", {"number": "X"}).status_code == 403


def test_a_segment_is_made_by_clicking_counted_and_changed() -> None:
    client = signed_in("marketing_editor")
    make_customer(city="Hefei", phone="13912345678")
    make_customer(city="Shanghai")
    assert client.get("/admin/customers/segment/condition/?field=city").status_code == 200
    assert client.get("/admin/customers/segment/condition/?field=evil").status_code == 404
    preview = client.post("/admin/customers/segment/preview/", ROW).content.decode()
    assert "139****5678" in preview
    assert "13912345678" not in preview
    answer = client.post("/admin/customers/segment/add/", {**ROW, "name": "South", "kind": "rule"})
    segment = Segment.objects.get()
    assert answer["Location"] == f"/admin/customers/segment/{segment.pk}/change/"
    assert segment.rule == {"field": "city", "operator": "in", "value": ["Hefei", "Wuhan"]}
    assert ">1<" in client.post(f"/admin/customers/segment/{segment.pk}/count/").content.decode()
    path = answer["Location"]
    two = {
        **ROW,
        "row": ["a", "b"],
        "b-field": "tag",
        "b-operator": "has_any",
        "b-value": "gold",
        "join": "or",
    }
    client.post(path, {**two, "name": "South", "version": segment.version})
    segment.refresh_from_db()
    assert segment.rule["op"] == "or"
    stale = client.post(path, {**ROW, "name": "Mine", "version": 1})
    assert stale.status_code == 409
    assert 'value="Mine"' in stale.content.decode()
    bad = client.post(path, {"name": "South", "version": 2})
    assert bad.status_code == 422


def test_members_are_pasted_and_a_rule_is_copied_onto_a_list() -> None:
    client = signed_in("marketing_editor")
    make_customer(external_id="A-1", city="Hefei")
    rule = create_segment(name="Rule", kind="rule", rule=HEFEI)
    client.post("/admin/customers/segment/add/", {"name": "List", "kind": "static"})
    segment = Segment.objects.get(name="List")
    path = f"/admin/customers/segment/{segment.pk}/members/"
    answer = client.post(path, {"act": "add", "numbers": "A-1 NOPE"}, follow=True).content.decode()
    assert "1 customer was added" in answer
    assert "NOPE" in answer
    client.post(path, {"act": "remove", "numbers": "A-1"})
    assert not SegmentMember.objects.exists()
    client.post(path, {"act": "snapshot", "source": rule.pk})
    assert SegmentMember.objects.count() == 1
    refused = client.post(path, {"act": "snapshot", "source": "x"})
    assert refused.status_code == 422


def test_a_rule_that_this_form_cannot_show_is_kept_when_the_name_changes() -> None:
    client = signed_in("marketing_editor")
    deep = {"op": "and", "items": [{"op": "not", "items": [HEFEI]}, HEFEI]}
    segment = create_segment(name="Deep", kind="rule", rule=deep)
    path = f"/admin/customers/segment/{segment.pk}/change/"
    assert "does not know" in client.get(path).content.decode()
    client.post(path, {"name": "Deeper", "foreign": "1", "version": 1})
    segment.refresh_from_db()
    assert (segment.name, segment.rule) == ("Deeper", deep)


def test_duplicates_are_listed_masked_with_the_latest_merges() -> None:
    client = signed_in("service_lead")
    first = make_customer(phone="13912345678", name="One")
    make_customer(phone="13912345678", name="Two")
    gone = make_customer(name="Gone")
    merge_customers(kept_id=first.pk, merged_id=gone.pk)
    page = client.get("/admin/customers/merge/").content.decode()
    assert "139****5678" in page
    assert "13912345678" not in page
    assert "Gone" in page
    assert client.get("/admin/customers/merge/?after=zz").status_code == 200
    found = client.post(f"/admin/customers/customer/{first.pk}/merge/", {"term": "Two"}).content.decode()
    assert "Choose" in found
    assert client.post(f"/admin/customers/customer/{first.pk}/merge/", {"other": "x"}).status_code == 422
