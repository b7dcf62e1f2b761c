"""The campaign pages of the console."""

from campaigns.admin.campaigns import CampaignAdmin

__all__ = ["CampaignAdmin"]
