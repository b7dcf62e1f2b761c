"""The ledger's pages, for each role that may read them."""

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from notifyhub.core.registry import customer_panels, customer_timeline, personal_data
from notifyhub.customers.models import Customer
from notifyhub.customers.services.merging import merge_customers
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.admin.templates.preview import FRAME_POLICY
from notifyhub.messaging.models import Delivery, Dispatch, DispatchItem, MessageCopy
from notifyhub.messaging.services.dispatches import Item, create_dispatch, progress
from notifyhub.messaging.services.ledger import LedgerQuery, list_messages, messages_of
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event, make_version
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_team, make_user

pytestmark = pytest.mark.django_db

LIST = "admin:messaging_delivery_changelist"


def send(*customers: Customer, **fields: Any) -> Dispatch:
    """Return a dispatch that went through the sandbox."""
    dispatch = create_dispatch(
        title=fields.pop("title", "Noodles"),
        origin_kind="test",
        message_class=fields.pop("message_class", "transactional"),
        chain=[{"channel": fields.pop("channel", "email")}],
        audience={"kind": "items"},
        items=[Item(item=n, customer_id=one.pk) for n, one in enumerate(customers, start=1)],
        author="Lin Xia",
        trigger="A test",
        owner_team=make_team(),
        **fields,
    )
    call_command("run_worker_once")
    dispatch.refresh_from_db()
    return dispatch


def first(dispatch: Dispatch) -> Delivery:
    return Delivery.objects.filter(dispatch_id=dispatch.pk).earliest("id")


def test_the_page_of_a_message_says_the_answer_and_who_asked(client: Client) -> None:
    client.force_login(make_user(roles.AGENT))
    customer = make_customer(name="Liu Wanqing", email="liu@mail.example")
    dispatch = send(customer, template_version=make_version(message_class="transactional"))
    page = client.get(reverse("admin:messaging_delivery_page", args=[first(dispatch).reference]))
    words = page.content.decode()
    assert page.status_code == 200
    assert "Liu Wanqing received it: delivered at " in words
    assert "&lt;time" not in words
    for part in ("Growth (Marketing)", "Lin Xia", "A test", "l***@mail.example", "Hello Liu Wanqing"):
        assert part in words
    assert "liu@mail.example" not in words


def test_the_mail_stands_in_a_frame_that_runs_and_fetches_nothing(client: Client) -> None:
    client.force_login(make_user(roles.AGENT))
    dispatch = send(make_customer(name="Ann"), template_version=make_version(message_class="transactional"))
    answer = client.get(reverse("admin:messaging_delivery_mail", args=[first(dispatch).reference]))
    assert "Dear Ann" in answer.content.decode()
    assert answer["Content-Security-Policy"] == FRAME_POLICY


@pytest.mark.parametrize("reference", ["1", "a-b", "0-0", "9-9", "99999999999999999999-1", "1-2-3", "-1-2"])
def test_a_name_that_is_no_message_is_not_found(client: Client, reference: str) -> None:
    client.force_login(make_user())
    assert client.get(reverse("admin:messaging_delivery_page", args=[reference])).status_code == 404
    assert client.get(reverse("admin:messaging_delivery_mail", args=[reference])).status_code == 404


@pytest.mark.parametrize("state", Delivery.State.values)
@pytest.mark.parametrize("reason", ["", "no_consent", "ambiguous"])
def test_every_state_has_its_sentence(client: Client, state: int, reason: str) -> None:
    client.force_login(make_user())
    delivery = make_delivery(make_dispatch(), make_customer(name="Ann").pk, state=state, reason=reason)
    page = client.get(reverse("admin:messaging_delivery_page", args=[delivery.reference]))
    assert "lg-sentence" in page.content.decode()


def test_a_skip_is_explained_in_words(client: Client) -> None:
    client.force_login(make_user(roles.AGENT))
    dispatch = send(
        make_customer(name="Ann"),
        message_class="promotional",
        topic=make_topic(),
        text={"body": "Half price"},
    )
    page = client.get(reverse("admin:messaging_delivery_page", args=[first(dispatch).reference]))
    assert "Ann did not get it: they have not opted in" in page.content.decode()


def test_the_list_pages_by_key_and_misses_nothing() -> None:
    dispatch = make_dispatch()
    ids = {make_delivery(dispatch, 1, channel="sms" if n % 2 else "email").pk for n in range(23)}
    seen: list[str] = []
    cursor = ""
    while True:
        page = list_messages(query=LedgerQuery(), cursor=cursor, limit=5)
        seen += [line.reference for line in page.lines]
        cursor = page.cursor
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == len(ids)
    sms = list_messages(query=LedgerQuery(dispatch_id=dispatch.pk, channel="sms"))
    assert len(sms.lines) == 11
    assert not sms.cursor


def test_the_list_by_what_happened_pages_by_time() -> None:
    dispatch = make_dispatch()
    for _ in range(7):
        make_event(make_delivery(dispatch, 1, state=Delivery.State.BOUNCED), "bounced")
    one = list_messages(query=LedgerQuery(kind="bounced"), limit=4)
    two = list_messages(query=LedgerQuery(kind="bounced"), cursor=one.cursor, limit=4)
    assert (len(one.lines), len(two.lines), two.cursor) == (4, 3, "")
    assert not {line.reference for line in one.lines} & {line.reference for line in two.lines}


def test_every_filter_of_the_list_opens(client: Client) -> None:
    client.force_login(make_user())
    dispatch = send(make_customer(), text={"subject": "Hi", "body": "Hello"})
    for query in (
        {}, {"dispatch": dispatch.pk}, {"dispatch": dispatch.pk, "state": "40"},
        {"customer": "1", "channel": "sms"},
        {"kind": "sent"}, {"kind": "sent", "day": "2026-11-21"}, {"kind": "x", "day": "y", "state": "z"},
        {"after": "1-2"}, {"after": "x"}, {"kind": "sent", "after": "99-99"}, {"dispatch": "9" * 30},
        {"kind": "delivered", "dispatch": dispatch.pk}, {"reason": "hold", "customer": "1"},
    ):  # fmt: skip
        assert client.get(reverse(LIST), query).status_code == 200, query


def test_a_customers_messages_are_found_by_post(client: Client) -> None:
    client.force_login(make_user(roles.AGENT))
    customer = make_customer(phone="13800009876")
    answer = client.post(reverse("admin:messaging_delivery_find"), {"q": "13800009876"})
    assert answer.url == f"{reverse(LIST)}?customer={customer.pk}"
    assert (
        "Nobody found" in client.post(reverse("admin:messaging_delivery_find"), {"q": "zz"}).content.decode()
    )


def test_the_list_asks_a_constant_number_of_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    client.force_login(make_user(roles.AGENT))
    for _ in range(3):
        send(*[make_customer() for _ in range(8)], text={"subject": "Hi", "body": "Hello"})
    with django_assert_max_num_queries(15):
        page = client.get(reverse(LIST))
    assert page.content.decode().count("lg-time") == 24
    with django_assert_max_num_queries(15):
        client.get(reverse("admin:messaging_delivery_sandbox"))
    with django_assert_max_num_queries(17):
        client.get(reverse("admin:messaging_delivery_page", args=[page.context["page"].lines[0].reference]))


def test_the_sandbox_shows_a_phone_and_an_inbox(client: Client) -> None:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    assert "Nothing arrived yet" in client.get(reverse("admin:messaging_delivery_sandbox")).content.decode()
    customer = make_customer(name="Ann")
    version = make_version(("email", "en"), ("sms", "en"), message_class="transactional")
    send(customer, template_version=version)
    send(customer, template_version=version, channel="sms")
    page = client.get(reverse("admin:messaging_delivery_sandbox")).content.decode()
    assert "Ann，您好" in page or "Hello Ann" in page
    assert "Ann, 30 off 120. Reply STOP" in page


def test_a_dispatch_page_has_sums_that_close_and_its_reasons(client: Client) -> None:
    client.force_login(make_user(roles.ANALYST))
    topic = make_topic()
    wanted = [make_customer() for _ in range(3)]
    for one in wanted[:2]:
        opt_in(one, topic, "email")
    dispatch = send(*wanted, message_class="promotional", topic=topic, text={"subject": "a", "body": "b"})
    page = client.get(reverse("admin:messaging_dispatch_change", args=[dispatch.pk]))
    counts = progress(dispatch_id=dispatch.pk)
    assert sum(row[1] for row in page.context["rows"]) == counts.planned == 3
    assert "Not opted in" in page.content.decode()
    assert "Cancel the rest" not in page.content.decode()
    live = client.get(reverse("admin:messaging_dispatch_live", args=[dispatch.pk]))
    assert "every 3s" not in live.content.decode()
    assert client.get(reverse("admin:messaging_dispatch_changelist")).status_code == 200


def test_operations_pause_resume_and_cancel(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    dispatch = make_dispatch(state=Dispatch.State.RUNNING)

    def post(verb: str, **data: str) -> str:
        answer = client.post(
            reverse(f"admin:messaging_dispatch_{verb}", args=[dispatch.pk]), data, follow=True
        )
        dispatch.refresh_from_db()
        return answer.content.decode()

    assert "Say why" in post("pause")
    post("pause", reason="wrong text")
    assert (dispatch.state, dispatch.pause_reason) == ("paused", "wrong text")
    page = client.get(reverse("admin:messaging_dispatch_change", args=[dispatch.pk]))
    assert "wrong text" in page.content.decode()
    post("resume")
    assert dispatch.state == "running"
    post("cancel", reason="over")
    assert dispatch.state == "cancelling"
    assert "has ended" in post("cancel") or "ended already" in post("cancel")


@pytest.mark.parametrize("role", [roles.AGENT, roles.ANALYST, roles.MARKETING_EDITOR])
def test_readers_do_not_steer(client: Client, role: str) -> None:
    client.force_login(make_user(role))
    dispatch = make_dispatch()
    for verb in ("pause", "resume", "cancel"):
        assert client.post(reverse(f"admin:messaging_dispatch_{verb}", args=[dispatch.pk])).status_code == 403
        assert client.get(reverse(f"admin:messaging_dispatch_{verb}", args=[dispatch.pk])).status_code in (
            403,
            405,
        )


@pytest.mark.parametrize("role", [roles.DEPARTMENT_MEMBER, roles.ADMINISTRATOR])
def test_others_see_no_messages(client: Client, role: str) -> None:
    client.force_login(make_user(role))
    delivery = make_delivery(make_dispatch(), 1)
    for address in (
        reverse(LIST), reverse("admin:messaging_delivery_sandbox"),
        reverse("admin:messaging_dispatch_changelist"),
        reverse("admin:messaging_delivery_page", args=[delivery.reference]),
        reverse("admin:messaging_delivery_mail", args=[delivery.reference]),
        reverse("admin:messaging_dispatch_change", args=[delivery.dispatch_id]),
    ):  # fmt: skip
        assert client.get(address).status_code == 403, address


def test_a_customers_page_gets_the_last_messages_and_the_timeline(rf: Any) -> None:
    customer = make_customer()
    send(customer, text={"subject": "Hi", "body": "Hello"})
    request = rf.get("/")
    request.user = make_user(roles.AGENT)
    panel = customer_panels.get("messages")
    source = customer_timeline.get("messages")
    assert panel is not None
    assert source is not None
    assert "Noodles" in panel.render(request, customer)
    entries = source(customer_id=customer.pk, before=None, limit=5, request=request)
    assert [entry.kind for entry in entries] == ["message"]
    assert source(customer_id=customer.pk, before=entries[0].at, limit=5, request=request) == []
    request.user = make_user(roles.DEPARTMENT_MEMBER)
    assert source(customer_id=customer.pk, before=None, limit=5, request=request) == []


def test_messages_of_a_customer_come_newest_first() -> None:
    customer = make_customer()
    for title in ("one", "two"):
        send(customer, title=title, text={"subject": title, "body": "Hello"})
    assert [line.title for line in messages_of(customer.pk, 10)] == ["two", "one"]


def test_messages_follow_a_customer_through_merges() -> None:
    first_number, second_number, kept = make_customer(), make_customer(), make_customer()
    send(first_number, title="early", text={"subject": "early", "body": "Hello"})
    merge_customers(kept_id=second_number.pk, merged_id=first_number.pk)
    merge_customers(kept_id=kept.pk, merged_id=second_number.pk)
    assert [line.title for line in messages_of(kept.pk, 10)] == ["early"]
    page = list_messages(query=LedgerQuery(customer_id=kept.pk))
    assert [line.title for line in page.lines] == ["early"]


def test_a_customer_can_have_a_copy_of_it_all_and_be_forgotten() -> None:
    customer = make_customer()
    send(customer, text={"subject": "Hi", "body": "Hello"})
    DispatchItem.objects.update(variables='{"secret_code": "482913", "order": "H1"}')
    copies = personal_data.get("messaging.Delivery")
    items = personal_data.get("messaging.DispatchItem")
    assert copies is not None
    assert items is not None
    assert copies.export(customer.pk)[0]["text"] == "Hello"
    assert "482913" not in str(items.export(customer.pk))
    assert "H1" in str(items.export(customer.pk))
    assert copies.erase(customer.pk) == 1
    assert items.erase(customer.pk) == 1
    assert not MessageCopy.objects.exists()
    assert DispatchItem.objects.get().variables is None
