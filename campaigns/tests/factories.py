"""The least valid campaigns, made through the services."""

from typing import Any

from campaigns.models import Campaign, Run
from campaigns.services.launching import launch_campaign
from campaigns.services.plans import create_campaign, update_campaign
from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_customer, opt_in
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import TemplateVersion
from notifyhub.messaging.tests.factories import make_version

EVERYONE = {"kind": "all", "values": []}


def make_campaign(
    name: str = "Autumn hot pot",
    *,
    version: TemplateVersion | None = None,
    audience: dict[str, Any] | None = None,
    owner: Any = None,
    **changes: Any,
) -> Campaign:
    """Return a draft that lacks nothing: everyone, an email template, at once."""
    campaign = create_campaign(name=name, owner=owner)
    version = version or make_version(("email", "en"))
    changes = {"audience": audience or EVERYONE, "template": version.template_id, **changes}
    return update_campaign(campaign_id=campaign.pk, version=campaign.version, changes=changes)


def make_audience(
    version: TemplateVersion, *, willing: int = 3, unwilling: int = 1, **fields: Any
) -> list[Customer]:
    """Return customers of whom the first `willing` opted in to the version's topic by email."""
    topic = version.template.topic
    assert topic is not None
    customers = [make_customer(**fields) for _number in range(willing + unwilling)]
    for customer in customers[:willing]:
        opt_in(customer, topic, "email")
    return customers


def make_run(*, willing: int = 3, unwilling: int = 1, **changes: Any) -> Run:
    """Return the planned run of a launched campaign; nothing of it is sent yet."""
    version = make_version(("email", "en"))
    make_audience(version, willing=willing, unwilling=unwilling)
    run = launch_campaign(campaign_id=make_campaign(version=version, **changes).pk)
    if run.dispatch.state == "planning":
        plan_dispatch(dispatch_id=run.dispatch_id)
    return Run.objects.select_related("campaign", "dispatch").get(pk=run.pk)
