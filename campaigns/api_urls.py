"""Addresses of the campaigns API."""

from django.urls import path

from campaigns.api import CampaignDetail, CampaignLaunch

urlpatterns = [
    path("campaigns/<slug:key>/", CampaignDetail.as_view(), name="campaign"),
    path("campaigns/<slug:key>/launch/", CampaignLaunch.as_view(), name="campaign-launch"),
]
