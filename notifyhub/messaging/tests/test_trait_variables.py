"""Texts read the customer's portrait; those that do not read it do not look it up."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from notifyhub.customers.models import Customer, CustomerTrait
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.previews import preview_content, sample_customer
from notifyhub.messaging.services.templates import publish, save_content
from notifyhub.messaging.tests.factories import make_template
from notifyhub.messaging.tests.kit.sending import dispatch_to, make_recipients, memory_account, work
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

BODY = (
    "<p>{{ customer.traits.favourite_merchant | default: 'Somewhere' }} {{ customer.traits.spend_90 }}"
    "{% if customer.traits.stage == 'cooling' %} We miss you{% endif %}</p>"
)


def template(body: str) -> Template:
    made = make_template(("email", "en"))
    save_content(template_id=made.pk, channel="email", language="en", version=2, subject="S", body=body)
    return made


def send(body: str, *customers: Customer) -> tuple[list[str], int]:
    """Send the text and return what arrived, and how often portraits were looked up."""
    memory_account()
    dispatch = dispatch_to(text=None, template_version=publish(template_id=template(body).pk))
    plan_dispatch(dispatch_id=dispatch.pk)
    asked: list[str] = []

    def listen(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        asked.append(str(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        work()
    looked = sum("customers_customertrait" in sql for sql in asked)
    return sorted(message.text for message in MemoryBackend.outbox), looked


def test_a_text_is_filled_in_from_the_portrait_by_one_look_up_for_all() -> None:
    first, second, third = make_recipients("auto", "auto", "auto")
    for customer, stage in ((first, "cooling"), (second, "active")):
        CustomerTrait.objects.create(
            customer=customer,
            stage=stage,
            favourite_merchant="Noodle house",
            spend_90=Decimal("86.5"),
            computed_at=timezone.now(),
        )
    texts, looked = send(BODY, first, second, third)
    assert [text.split("\n")[0].strip() for text in texts] == [
        "Noodle house 86.50",
        "Noodle house 86.50 We miss you",
        "Somewhere",
    ]
    assert looked == 1


def test_a_text_without_traits_does_not_look_them_up() -> None:
    texts, looked = send("<p>Dear {{ customer.name }}</p>", *make_recipients("auto"))
    assert (len(texts), looked) == (1, 0)


def test_the_preview_says_what_is_missing_and_warns_of_an_unknown_one() -> None:
    made = template("<p>{{ customer.traits.best_hour }} {{ customer.traits.shoe_size }}</p>")
    content = made.versions.get().contents.get()
    (customer,) = make_recipients("auto")
    preview = preview_content(content=content, template=made, customer=customer)
    lines = {line.path: line for line in preview.variables}
    assert lines["customer.traits.best_hour"].missing
    assert not lines["customer.traits.best_hour"].supplied
    warned = [check.text for check in preview.checks if check.level == "warning"]
    assert any("customer.traits.shoe_size" in text for text in warned)
    assert not any("customer.traits.best_hour" in text for text in warned)
    sample = preview_content(content=content, template=made, customer=sample_customer())
    assert next(line.value for line in sample.variables if line.path.endswith("best_hour")) == "20"


def test_the_editor_lists_them_with_examples() -> None:
    client = Client()
    client.force_login(make_user("content_editor"))
    page = client.get(f"/admin/messaging/template/{make_template().pk}/change/").content.decode()
    assert 'data-insert="{{ customer.traits.favourite_merchant }}"' in page
    assert "老城火锅" in page
