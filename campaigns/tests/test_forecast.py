"""What the pre-flight says is what is then planned, whatever the gates hold."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.services.launching import launch_campaign
from campaigns.services.preflight import preflight
from campaigns.services.runs import progress_of
from campaigns.tests.factories import make_campaign
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Hold
from notifyhub.customers.tests.factories import make_customer, opt_in
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Batch, Delivery
from notifyhub.messaging.tests.factories import make_version

CITIES = ["Nanjing", "Suzhou"]
people = st.lists(
    st.fixed_dictionaries(
        {
            "city": st.sampled_from(CITIES),
            "email": st.booleans(),
            "phone": st.booleans(),
            "email_says": st.sampled_from(["in", "out", None]),
            "sms_says": st.sampled_from(["in", "out", None]),
            "held": st.booleans(),
            "twin": st.booleans(),
        }
    ),
    max_size=8,
)
audiences = st.sampled_from(
    [
        {"kind": "all", "values": []},
        {"kind": "city", "values": ["Nanjing"]},
        {"kind": "tag", "values": ["student"]},
    ]
)


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=people, audience=audiences, chain=st.permutations(["email", "sms"]))
def test_preflight_is_what_is_then_planned(people: list[dict], audience: dict, chain: list[str]) -> None:
    from django.db import transaction

    try:
        with transaction.atomic():
            _compare(people, audience, chain)
            raise _Done
    except _Done:
        pass


class _Done(Exception):
    """Rolls one example back."""


def _compare(people: list[dict], audience: dict, chain: list[str]) -> None:
    version = make_version(("email", "en"), ("sms", "en"))
    topic = version.template.topic
    assert topic is not None
    for number, person in enumerate(people):
        customer = make_customer(
            city=person["city"],
            tags=["student"] if number % 2 else [],
            email=("twin@mail.example" if person["twin"] else "auto") if person["email"] else None,
            phone="auto" if person["phone"] else None,
        )
        for channel in ("email", "sms"):
            if person[f"{channel}_says"]:
                opt_in(customer, topic, channel, decision=person[f"{channel}_says"])
        if person["held"]:
            Hold.objects.create(
                customer=customer, scope="promotions", reason="open complaint", origin_kind="test"
            )
    campaign = make_campaign(version=version, audience=audience, chain=chain)
    found = preflight(campaign)
    forecast = found.forecast
    assert forecast is not None
    assert forecast.total == forecast.sendable + sum(forecast.by_reason.values())
    assert sum(forecast.by_channel.values()) == forecast.sendable
    if not forecast.sendable:
        with pytest.raises(Refused):
            launch_campaign(campaign_id=campaign.pk)
        return
    run = launch_campaign(campaign_id=campaign.pk, confirmed=forecast.sendable)
    plan_dispatch(dispatch_id=run.dispatch_id)
    progress = progress_of(run)
    assert progress.planned == forecast.total
    assert progress.open == forecast.sendable
    assert {reason: n for reason, n in progress.by_reason.items() if n} == forecast.by_reason
    rows = Delivery.objects.filter(dispatch_id=run.dispatch_id, state=Delivery.State.PLANNED)
    by_channel: dict[str, int] = {}
    for channel in rows.values_list("channel", flat=True):
        by_channel[channel] = by_channel.get(channel, 0) + 1
    assert by_channel == forecast.by_channel
    assert Batch.objects.filter(dispatch=run.dispatch_id).exists()
