"""The page behind a message's unsubscribe link."""

import pytest
from django.test import Client

from notifyhub.core.tokens import make_token
from notifyhub.customers.models import Consent, ConsentRecord, Customer
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.messaging.rendering.links import unsubscribe_url
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch

pytestmark = pytest.mark.django_db

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def sent(**fields: object) -> tuple[Customer, Delivery, str]:
    customer = make_customer()
    topic = make_topic()
    opt_in(customer, topic, "email", "sms")
    dispatch = make_dispatch(**{"topic": topic, **fields})
    delivery = make_delivery(dispatch, customer.pk)
    url = unsubscribe_url(dispatch_id=dispatch.pk, delivery_id=delivery.pk)
    return customer, delivery, url[url.index("/u/") :]


def decisions(customer: Customer) -> dict[str, str]:
    return dict(Consent.objects.filter(customer=customer).values_list("channel", "decision"))


def test_looking_asks_and_never_acts(client: Client) -> None:
    customer, _delivery, url = sent()
    page = client.get(url).content.decode()
    assert "Stop these messages?" in page
    assert "Food deals" in page
    assert "<script" not in page
    assert client.head(url).status_code == 200
    assert decisions(customer) == {"email": "in", "sms": "in"}
    assert not DeliveryEvent.objects.exists()


def test_one_click_opts_out_of_this_topic_on_this_channel_only() -> None:
    customer, delivery, url = sent()
    answer = Client(enforce_csrf_checks=True).post(url, ONE_CLICK)
    assert answer.status_code == 200
    assert decisions(customer) == {"email": "out", "sms": "in"}
    event = DeliveryEvent.objects.get()
    assert (event.kind, event.delivery_id, event.code) == ("unsubscribed", delivery.pk, "one_click")
    assert ConsentRecord.objects.latest("pk").source == "one_click"


def test_asking_twice_is_harmless(client: Client) -> None:
    customer, _delivery, url = sent()
    for _ in range(3):
        assert client.post(url, ONE_CLICK).status_code == 200
    assert ConsentRecord.objects.filter(customer=customer, decision="out").count() == 1
    assert DeliveryEvent.objects.count() == 1
    assert "You are unsubscribed" in client.get(url).content.decode()


def test_the_form_stops_too(client: Client) -> None:
    customer, _delivery, url = sent()
    assert "You are unsubscribed" in client.post(url, {"act": "stop"}).content.decode()
    assert decisions(customer)["email"] == "out"


def test_other_topics_can_be_chosen(client: Client) -> None:
    customer, _delivery, url = sent()
    service, news = make_topic("bills", "service"), make_topic("travel-deals")
    assert "Bills" in client.get(url).content.decode()
    client.post(url, {"act": "save", "shown": [service.pk, news.pk, 999999], "topic": [news.pk, 999999]})
    found = dict(
        Consent.objects.filter(customer=customer, channel="email").values_list("topic__code", "decision")
    )
    assert found == {"food-deals": "in", "bills": "out", "travel-deals": "in"}
    assert ConsentRecord.objects.filter(customer=customer).count() == 4


@pytest.mark.parametrize("token", ["x", "a:b:c", "é" * 50, "x" * 5000])
def test_garbage_is_a_polite_page(client: Client, token: str) -> None:
    for answer in (client.get(f"/u/{token}"), client.post(f"/u/{token}", ONE_CLICK)):
        assert answer.status_code == 404
        assert "no longer valid" in answer.content.decode()


@pytest.mark.parametrize("value", [[1], "x", {"a": 1}, [1, "2"], [1, 2, 3], None])
def test_a_signed_token_of_another_shape_is_garbage(client: Client, value: object) -> None:
    assert client.get("/u/" + make_token(value, purpose="unsubscribe")).status_code == 404


def test_a_token_of_another_purpose_opens_nothing(client: Client) -> None:
    customer, delivery, _url = sent()
    forged = make_token([delivery.dispatch_id, delivery.pk], purpose="survey")
    assert client.post(f"/u/{forged}", ONE_CLICK).status_code == 404
    assert decisions(customer)["email"] == "in"


def test_a_message_that_is_gone_is_a_polite_page(client: Client) -> None:
    url = "/u/" + make_token([1, 2], purpose="unsubscribe")
    assert client.get(url).status_code == 200
    assert "no longer valid" in client.post(url, ONE_CLICK).content.decode()


def test_a_message_without_a_topic_has_nothing_to_stop(client: Client) -> None:
    customer, _delivery, url = sent(topic=None, message_class="transactional")
    assert "nothing to stop" in client.get(url).content.decode()
    client.post(url, ONE_CLICK)
    assert decisions(customer)["email"] == "in"


def test_the_link_of_a_merged_customer_speaks_for_the_kept_one(client: Client) -> None:
    customer, _delivery, url = sent()
    kept = make_customer()
    Customer.objects.filter(pk=customer.pk).update(state="merged", merged_into=kept)
    client.post(url, ONE_CLICK)
    assert decisions(kept) == {"email": "out"}


def test_an_erased_customer_is_not_an_error(client: Client) -> None:
    customer, _delivery, url = sent()
    Customer.objects.filter(pk=customer.pk).update(state="erased")
    assert client.post(url, ONE_CLICK).status_code == 200
    assert client.get(url).status_code == 200


def test_the_page_speaks_the_readers_language_and_runs_nothing(client: Client) -> None:
    _customer, _delivery, url = sent()
    answer = client.get(url, headers={"Accept-Language": "zh-CN"})
    assert 'lang="zh-hans"' in answer.content.decode()
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "no-store"
