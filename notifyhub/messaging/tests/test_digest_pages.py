"""What pages tell about gathering, and what people do there."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.models import Delivery, DigestItem, DigestWish, DigestWishRecord
from notifyhub.messaging.rendering.links import unsubscribe_url
from notifyhub.messaging.services.digests.closing import close_due_digests
from notifyhub.messaging.services.digests.wishes import set_wish
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_template
from notifyhub.messaging.tests.kit.digests import come_due, digests, gathering_version, plan_digests, tell
from notifyhub.messaging.tests.kit.sending import make_recipients, states
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
State = DigestItem.State


@pytest.fixture
def agent(client: Client) -> Client:
    client.force_login(make_user(role="senior_agent"))
    return client


def one_waiting(*numbers: str) -> tuple[Customer, Any]:
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    tell(version, [ann] * len(numbers), numbers)
    return ann, version


def panel(client: Client, customer: Customer) -> str:
    url = reverse("admin:customers_customer_panel", args=[customer.pk, "digests"])
    return client.get(url).content.decode()


def test_the_customers_page_shows_what_waits_and_sends_it_now(agent: Client) -> None:
    ann, _version = one_waiting("A1", "A2")
    shown = panel(agent, ann)
    assert "order:A1" in shown
    assert "order:A2" in shown
    assert "Send now" in shown
    ids = ",".join(str(pk) for pk in DigestItem.objects.values_list("pk", flat=True))
    agent.post(reverse("admin:messaging_delivery_send", args=[ann.pk]), {"items": ids})
    assert len(digests()) == 1
    assert set(DigestItem.objects.values_list("state", flat=True)) == {State.GATHERED}
    assert AuditEntry.objects.filter(verb="send_digest_now").count() == 1
    answer = agent.post(reverse("admin:messaging_delivery_send", args=[ann.pk]), {"items": ids}, follow=True)
    assert "Nothing of this waits any more" in answer.content.decode()
    assert len(digests()) == 1


def test_one_is_dropped_and_its_page_says_so(agent: Client) -> None:
    ann, _version = one_waiting("A1", "A2")
    item = DigestItem.objects.get(subject_ref="order:A1")
    agent.post(reverse("admin:messaging_delivery_drop", args=[ann.pk]), {"items": str(item.pk)})
    item.refresh_from_db()
    assert (item.state, item.reason) == (State.DROPPED, "by_staff")
    assert AuditEntry.objects.filter(verb="drop_waiting_messages").count() == 1
    page = agent.get(reverse("admin:messaging_delivery_page", args=[item.reference])).content.decode()
    assert "Dropped by a person" in page
    assert "order:A1" not in panel(agent, ann)


def test_nobody_drops_what_belongs_to_somebody_else(agent: Client) -> None:
    _ann, _version = one_waiting("A1")
    (bob,) = make_recipients("bob@mail.example")
    ids = str(DigestItem.objects.get().pk)
    for act in ("drop", "send"):
        agent.post(
            reverse(f"admin:messaging_delivery_{act}", args=[bob.pk]), {"items": f"{ids},x,99999999999"}
        )
    assert DigestItem.objects.get().state == State.WAITING


def test_who_only_reads_sees_no_buttons_and_may_not_act(client: Client) -> None:
    ann, _version = one_waiting("A1")
    client.force_login(make_user(role="analyst"))
    assert "Send now" not in panel(client, ann)
    for act in ("drop", "send", "wish"):
        assert client.post(reverse(f"admin:messaging_delivery_{act}", args=[ann.pk])).status_code == 403
        assert client.get(reverse(f"admin:messaging_delivery_{act}", args=[ann.pk])).status_code in (403, 405)


def test_the_gathered_and_the_digest_name_each_other(
    agent: Client, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    ann, version = one_waiting("A1", "A2")
    gathered = Delivery.objects.filter(state=Delivery.State.GATHERED).order_by("pk")
    page = reverse("admin:messaging_delivery_page", args=[gathered[0].reference])
    assert "It waits for others until" in agent.get(page).content.decode()
    come_due()
    close_due_digests()
    (digest,) = plan_digests()
    assert (
        reverse("admin:messaging_delivery_page", args=[digest.reference]) in agent.get(page).content.decode()
    )
    own = reverse("admin:messaging_delivery_page", args=[digest.reference])
    shown = agent.get(own).content.decode()
    assert all(one.reference in shown for one in gathered)
    assert "What it gathered" in shown
    with django_assert_max_num_queries(60) as few:
        agent.get(own)
    queries = len(few)
    for number in range(3, 9):
        tell(version, [ann], [f"A{number}"])
    come_due()
    close_due_digests()
    plan_digests()
    large = Delivery.objects.filter(dispatch_id=digests()[-1].pk).get()
    agent.get(reverse("admin:messaging_delivery_page", args=[large.reference]))
    with django_assert_num_queries(queries):
        agent.get(reverse("admin:messaging_delivery_page", args=[large.reference]))


def test_the_customers_card_costs_the_same_for_few_and_many(
    agent: Client, django_assert_max_num_queries: Any
) -> None:
    ann, version = one_waiting("A1")
    panel(agent, ann)
    with django_assert_max_num_queries(30) as few:
        panel(agent, ann)
    queries = len(few)
    for number in range(2, 8):
        tell(version, [ann], [f"A{number}"])
    with django_assert_max_num_queries(queries):
        panel(agent, ann)


def test_the_dispatch_page_counts_the_gathered_apart(client: Client) -> None:
    client.force_login(make_user(role="operations"))
    one_waiting("A1", "A2")
    dispatch = DigestItem.objects.values_list("dispatch_id", flat=True)[0]
    shown = client.get(reverse("admin:messaging_dispatch_change", args=[dispatch])).content.decode()
    assert "Gathered into digests" in shown
    assert "2 of those not reached get a digest" in shown
    assert "Why some got nothing" not in shown


def test_a_customers_wish_decides_and_is_written_down(agent: Client) -> None:
    version = gathering_version()
    topic = version.template.topic
    assert topic is not None
    ann, bob = make_recipients("ann@mail.example", "bob@mail.example")
    agent.post(
        reverse("admin:messaging_delivery_wish", args=[ann.pk]), {"topic": topic.pk, "wish": "at_once"}
    )
    set_wish(customer_id=bob.pk, topic=topic, wish="week", source="unsubscribe_page")
    assert states(tell(version, [ann, bob], ["A1", "B1"])) == {"planned": 1, "gathered": 1}
    (item,) = DigestItem.objects.all()
    assert (item.customer_id, item.every, item.by_wish) == (bob.pk, "week", True)
    assert AuditEntry.objects.filter(verb="set_digest_wish").count() == 2
    assert "At once" in panel(agent, ann)
    set_wish(customer_id=bob.pk, topic=topic, wish="template", source="staff")
    tell(version, [bob], ["B2"])
    assert DigestItem.objects.get(subject_ref="order:B2").every == "day"
    assert DigestWishRecord.objects.count() == 3


def test_a_wish_gathers_nothing_of_a_template_that_never_gathers() -> None:
    version = gathering_version()
    topic = version.template.topic
    assert topic is not None
    (ann,) = make_recipients("ann@mail.example")
    set_wish(customer_id=ann.pk, topic=topic, wish="week", source="staff")
    type(version.template).objects.update(gather="never")
    version.template.refresh_from_db()
    assert states(tell(version, [ann], ["A1"])) == {"planned": 1}


@pytest.mark.parametrize("data", [{}, {"topic": "x"}, {"topic": "0"}, {"topic": "99999999999999999999"}])
def test_nonsense_as_a_wish_is_refused(agent: Client, data: dict[str, str]) -> None:
    (ann,) = make_recipients("ann@mail.example")
    answer = agent.post(reverse("admin:messaging_delivery_wish", args=[ann.pk]), data, follow=True)
    assert answer.status_code == 200
    assert "Choose a topic." in answer.content.decode()
    topic = make_topic("informational-topic", "informational")
    agent.post(reverse("admin:messaging_delivery_wish", args=[ann.pk]), {"topic": topic.pk, "wish": "yearly"})
    assert not DigestWish.objects.exists()


def test_the_public_page_keeps_how_often(client: Client) -> None:
    version = gathering_version()
    topic = version.template.topic
    assert topic is not None
    (ann,) = make_recipients("ann@mail.example")
    dispatch = make_dispatch(version=version, message_class="informational", topic=topic)
    message = make_delivery(dispatch, ann.pk)
    url = "/u/" + unsubscribe_url(dispatch_id=dispatch.pk, delivery_id=message.pk).rsplit("/", 1)[1]
    assert f'name="wish_{topic.pk}"' in client.get(url).content.decode()
    form = {"act": "save", "shown": topic.pk, "topic": topic.pk}
    shown = client.post(url, {**form, f"wish_{topic.pk}": "day"}).content.decode()
    assert "Your choice is saved." in shown
    assert DigestWish.objects.get().wish == "day"
    assert DigestWishRecord.objects.get().proof == f"message {message.reference}"
    client.post(url, {**form, f"wish_{topic.pk}": "<script>"})
    assert DigestWish.objects.get().wish == "day"


def test_the_studio_previews_a_digest_and_refuses_to_publish_without_one(client: Client) -> None:
    client.force_login(make_user(role="marketing_editor"))
    template = make_template(("email", "en"), message_class="informational")
    settings = {"name": "Parcels", "gather": "week", "gather_at": "18:30", "gather_weekday": "5"}
    client.post(reverse("admin:messaging_template_settings", args=[template.pk]), settings)
    template.refresh_from_db()
    assert (template.gather, f"{template.gather_at:%H:%M}", template.gather_weekday) == ("week", "18:30", 5)
    page = reverse("admin:messaging_template_change", args=[template.pk])
    assert "there is no digest text" in client.get(page).content.decode()
    client.post(reverse("admin:messaging_template_publish", args=[template.pk]))
    assert not template.versions.filter(state="published").exists()
    text = {
        "channel": "email",
        "language": "en",
        "subject": "Order {{ order.number }}",
        "body": "<p>{{ order.number }}</p>",
        "digest_subject": "{{ count }} orders",
        "digest_body": "{% for item in items %}<p>{{ item.order.number }}</p>{% endfor %}",
    }
    version = template.versions.get().contents.get().version
    preview = client.post(
        reverse("admin:messaging_template_preview", args=[template.pk]), text
    ).content.decode()
    assert "3 orders" in preview
    assert "‹number 1›" in preview
    assert "‹number 3›" in preview
    client.post(reverse("admin:messaging_template_save", args=[template.pk]), {**text, "version": version})
    client.post(reverse("admin:messaging_template_publish", args=[template.pk]))
    assert template.versions.get().state == "published"
    broken = {**text, "digest_body": "{% for item in items %}"}
    answer = client.post(reverse("admin:messaging_template_preview", args=[template.pk]), broken)
    assert "Digest: " in answer.content.decode()


@pytest.mark.parametrize(
    "wrong", [{"gather": "yearly"}, {"gather_at": "99:99"}, {"gather_weekday": "8"}, {"gather_weekday": "x"}]
)
def test_nonsense_as_settings_is_refused(client: Client, wrong: dict[str, str]) -> None:
    client.force_login(make_user(role="marketing_editor"))
    template = make_template(("email", "en"), message_class="informational")
    given = {"name": "Parcels", "gather": "week", "gather_at": "18:30", "gather_weekday": "5", **wrong}
    answer = client.post(reverse("admin:messaging_template_settings", args=[template.pk]), given, follow=True)
    assert answer.status_code == 200
    template.refresh_from_db()
    assert template.gather == "never"


def test_transactional_messages_are_never_gathered(client: Client) -> None:
    client.force_login(make_user(role="marketing_editor"))
    template = make_template(("email", "en"), message_class="transactional")
    given = {"name": "Code", "gather": "day"}
    answer = client.post(reverse("admin:messaging_template_settings", args=[template.pk]), given, follow=True)
    assert "Transactional messages are never gathered." in answer.content.decode()


def test_erasing_a_customer_drops_what_waits_and_a_merge_takes_it_along() -> None:
    from notifyhub.customers.services.merging import merge_customers
    from notifyhub.customers.services.privacy import erase_customer, export_personal_data

    version = gathering_version()
    topic = version.template.topic
    assert topic is not None
    ann, bob = make_recipients("ann@mail.example", "bob@mail.example")
    tell(version, [ann, bob], ["A1", "B1"])
    set_wish(customer_id=bob.pk, topic=topic, wish="week", source="staff")
    DigestItem.objects.update(at=timezone.now())
    merge_customers(kept_id=ann.pk, merged_id=bob.pk)
    come_due()
    assert close_due_digests() == 1
    (digest,) = digests()
    assert list(digest.items.values_list("customer_id", flat=True)) == [ann.pk]
    tell(version, [ann], ["A2"])
    copy = str(export_personal_data(customer_id=ann.pk, reason="Asked by letter"))
    assert "order:A2" in copy
    erase_customer(customer_id=ann.pk, reason="Asked by letter")
    assert set(DigestItem.objects.exclude(state=State.GATHERED).values_list("state", "reason")) == {
        (State.DROPPED, "erased")
    }
    assert close_due_digests() == 0
