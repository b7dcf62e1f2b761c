"""What somebody ordered to stop is told where colleagues would wonder."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifyhub.messaging.models import Halt
from notifyhub.staff import roles
from notifyhub.staff.models import NodeBeat
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", [roles.AGENT, roles.MARKETING_EDITOR, roles.ANALYST])
def test_everybody_reads_on_each_page_that_promotions_stand_still(client: Client, role: str) -> None:
    client.force_login(make_user(role))
    address = reverse("admin:index")
    assert "stand still" not in client.get(address).content.decode()
    halt = Halt.objects.create(scope="class", value="promotional", reason="Wrong price", placed_by="Sun Hao")
    text = client.get(address).content.decode()
    assert "All promotions stand still." in text
    assert "Wrong price" in text
    assert reverse("admin:console_operations") not in text
    Halt.objects.filter(pk=halt.pk).update(lifted_at=timezone.now())
    assert "stand still" not in client.get(address).content.decode()


def test_a_drained_worker_is_the_business_of_operations_alone(client: Client) -> None:
    client.force_login(make_user(roles.AGENT))
    Halt.objects.create(scope="worker", value="bulk@one", reason="New disk")
    assert "New disk" not in client.get(reverse("admin:index")).content.decode()


def test_the_operations_page_says_it_once_and_does_not_call_it_all_well(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    Halt.objects.create(scope="class", value="promotional", reason="Wrong price")
    text = client.get(reverse("admin:console_operations")).content.decode()
    assert text.count("All promotions stand still.") == 1
    assert "All is well" not in text


def test_a_queue_whose_workers_are_all_drained_is_red(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    NodeBeat.objects.create(name="bulk@one", kind="worker", queues="bulk", at=timezone.now())
    Halt.objects.create(scope="worker", value="bulk@one", reason="New disk")
    text = client.get(reverse("admin:console_operations_body")).content.decode()
    assert "every worker is drained" in text


def test_the_last_worker_of_a_queue_that_falls_silent_is_not_said_to_be_replaced(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    gone = timezone.now() - timedelta(minutes=2)
    NodeBeat.objects.create(name="bulk@one", kind="worker", queues="bulk", at=gone)
    address = reverse("admin:console_operations_body")
    assert "nobody serves bulk now: start it again" in client.get(address).content.decode()
    NodeBeat.objects.create(name="bulk@two", kind="worker", queues="bulk", at=timezone.now())
    assert "its leases went back, others go on" in client.get(address).content.decode()
