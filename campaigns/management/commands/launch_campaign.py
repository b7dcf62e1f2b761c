"""Launch a campaign from a terminal or a schedule of one's own."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.models import Campaign
from campaigns.services.launching import launch_campaign
from campaigns.services.preflight import preflight, reason_label, refuse_unless_ready
from notifyhub.core.errors import Refused


class Command(BaseCommand):
    """Print the pre-flight and launch; naming the key is the decision, --expect guards its size."""

    help = "Launch the campaign KEY, by the same rules as the console."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="The campaign's key, as its page shows it.")
        parser.add_argument(
            "--expect", type=int, help="Refuse unless exactly this many people would be sent to."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(key=options["key"]).select_related("template__topic").first()
        if campaign is None:
            raise CommandError(f"There is no campaign with the key {options['key']}.")
        try:
            confirmed = options["expect"]
            if confirmed is None and campaign.editable:
                confirmed = self._show(campaign)
            run = launch_campaign(campaign_id=campaign.pk, confirmed=confirmed, trigger="launch_campaign")
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Launched {campaign.key}: run {run.number}, dispatch {run.dispatch_id}.")

    def _show(self, campaign: Campaign) -> int:
        """Print who gets it and who does not; return how many get it."""
        found = preflight(campaign)
        refuse_unless_ready(found)
        assert found.forecast is not None
        self.stdout.write(f"{found.forecast.total} match, {found.forecast.sendable} will be sent to.")
        for reason, count in sorted(found.forecast.by_reason.items(), key=lambda pair: -pair[1]):
            self.stdout.write(f"  {count} not: {reason_label(reason)}")
        return found.forecast.sendable
