import pytest
from django.test import Client

from notifyhub.customers.models import Customer
from notifyhub.customers.services.customers import update_customer
from notifyhub.customers.tests.factories import make_customer

pytestmark = pytest.mark.django_db
ADD = "/admin/customers/customer/add/"
FIELDS = {
    "name": "Liu",
    "city": "Hefei",
    "locale": "zh-hans",
    "time_zone": "Asia/Shanghai",
    "external_id": "K-1",
}


def edit(customer: Customer) -> str:
    return f"/admin/customers/customer/{customer.pk}/edit/"


def test_a_customer_is_added_with_contacts_tags_and_attributes(agent: Client) -> None:
    assert agent.get(ADD).status_code == 200
    data = {
        **FIELDS, "phone": "139 1234 5678", "email": "", "tags": "gold, 亲子游，gold",
        "attribute_key": ["level", ""], "attribute_value": ["5", ""],
    }  # fmt: skip
    answer = agent.post(ADD, data)
    customer = Customer.objects.get()
    assert answer["Location"] == f"/admin/customers/customer/{customer.pk}/change/"
    assert (customer.tags, customer.attributes) == (["gold", "亲子游"], {"level": "5"})
    assert customer.contact_points.get().masked == "139****5678"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"phone": "12"}, "This is not a phone number"),
        ({"time_zone": "Mars/Base"}, "time zone"),
        ({"locale": "xx"}, "xx"),
        ({"tags": "x" * 41}, "at most 40 characters"),
        ({"external_id": "TAKEN"}, "has this number already"),
        ({"attribute_key": ["a", "a"], "attribute_value": ["1", "2"]}, "stands here twice"),
        ({"attribute_key": [""], "attribute_value": ["lonely"]}, "Each attribute has a name"),
        ({"name": "a\x00b"}, "Null characters"),
    ],
)
def test_a_refused_form_keeps_the_typed_text(agent: Client, wrong: dict, said: str) -> None:
    make_customer(external_id="TAKEN")
    answer = agent.post(ADD, {**FIELDS, **wrong})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert 'value="Hefei"' in page
    assert Customer.objects.count() == 1


def test_only_what_changed_is_written_and_numbers_stay_numbers(agent: Client) -> None:
    customer = make_customer(name="Before", city="Hefei", attributes={"points": 7, "vip": True})
    page = agent.get(edit(customer)).content.decode()
    assert 'value="points"' in page
    data = {
        "name": "After", "city": "Hefei", "locale": "zh-hans", "time_zone": "Asia/Shanghai",
        "external_id": customer.external_id, "tags": "", "version": customer.version,
        "attribute_key": ["points", "vip", "new"], "attribute_value": ["7", "true", "x"],
    }  # fmt: skip
    assert agent.post(edit(customer), data).status_code == 302
    customer.refresh_from_db()
    assert (customer.name, customer.attributes) == ("After", {"points": 7, "vip": True, "new": "x"})


def test_a_stale_page_is_a_conflict_that_keeps_the_typed_text_and_can_be_saved_again(agent: Client) -> None:
    customer = make_customer(name="First")
    data = {
        "name": "Mine", "city": "", "locale": "zh-hans", "time_zone": "Asia/Shanghai",
        "external_id": customer.external_id, "tags": "", "version": customer.version,
    }  # fmt: skip
    update_customer(customer_id=customer.pk, changes={"name": "Theirs"}, version=None)
    answer = agent.post(edit(customer), data)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Theirs" in page
    assert 'value="Mine"' in page
    version = page.split('name="version" value="')[1].split('"')[0]
    assert agent.post(edit(customer), {**data, "version": version}).status_code == 302
    customer.refresh_from_db()
    assert customer.name == "Mine"
