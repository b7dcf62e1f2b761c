"""Campaigns over HTTP: look at one, and launch it by the same service as the console."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns.models import Campaign
from campaigns.services.audience import describe_audience
from campaigns.services.launching import launch_campaign
from campaigns.services.report import certify
from campaigns.services.runs import PEOPLE, progress_of
from notifyhub.customers.api.serializers import problems
from notifyhub.staff.idempotency import IdempotentMixin


class LaunchSerializer(serializers.Serializer[Any]):
    """What a launch takes: above 1,000 people their exact number, as the pre-flight shows it."""

    expected_recipients = serializers.IntegerField(required=False, min_value=0)


class CertificateLineSerializer(serializers.Serializer[Any]):
    """One line of the reconciliation."""

    code = serializers.CharField()
    count = serializers.IntegerField()


class RunSerializer(serializers.Serializer[Any]):
    """A run. Messages: planned is the sum of the lines; people = reached + not_reached + people_open."""

    number = serializers.IntegerField()
    state = serializers.CharField()
    dispatch = serializers.IntegerField(source="dispatch_id")
    launched_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    planned = serializers.IntegerField()
    people = serializers.IntegerField()
    reached = serializers.IntegerField()
    not_reached = serializers.IntegerField()
    people_open = serializers.IntegerField()
    lines = CertificateLineSerializer(many=True)


class CampaignSerializer(serializers.Serializer[Any]):
    """A campaign and its newest run."""

    key = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    audience = serializers.CharField()
    run = RunSerializer(allow_null=True)


def _shown(campaign: Campaign) -> dict[str, Any]:
    run = campaign.last_run
    if run is not None:
        progress = progress_of(run)
        certificate = certify(progress)
        for name in PEOPLE:
            setattr(run, name, getattr(progress, name))
        run.planned, run.lines = certificate.planned, certificate.lines
    shown = {
        "key": campaign.key,
        "name": campaign.name,
        "state": campaign.state,
        "audience": describe_audience(campaign),
        "run": run,
    }
    return dict(CampaignSerializer(shown).data)


def _campaign(key: str) -> Campaign:
    campaign = Campaign.objects.with_last_run().filter(key=key).first()
    if campaign is None:
        raise Http404
    return campaign


class CampaignDetail(APIView):
    """One campaign with the reconciliation of its newest run."""

    required_scope = "campaigns:launch"

    @extend_schema(responses={200: CampaignSerializer, **problems(404)})
    def get(self, request: Request, key: str) -> Response:
        """Return the campaign."""
        return Response(_shown(_campaign(key)))


class CampaignLaunch(IdempotentMixin, APIView):
    """Launch one campaign, once."""

    required_scope = "campaigns:launch"

    @extend_schema(
        request=LaunchSerializer,
        responses={202: CampaignSerializer, **problems(400, 404, 409, 413, 415, 422)},
    )
    def post(self, request: Any, key: str) -> Response:
        """Launch and return the campaign; a second launch, or another number of people, is refused."""
        body = LaunchSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        launch_campaign(
            campaign_id=_campaign(key).pk,
            confirmed=body.validated_data.get("expected_recipients"),
            trigger=f"API key {request.auth.name}",
        )
        return Response(_shown(_campaign(key)), status=202)
