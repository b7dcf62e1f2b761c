"""Campaign models."""

from campaigns.models.campaign import Campaign
from campaigns.models.run import Run, RunMinute

__all__ = ["Campaign", "Run", "RunMinute"]
