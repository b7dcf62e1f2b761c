"""What a rule would do, asked by the statements that plan; nothing is written, and nothing need be saved."""

from notifyhub.reminders.services.dryrun.forecasting import forecast_days, is_estimated
from notifyhub.reminders.services.dryrun.trying import Outcome, try_version

__all__ = ["Outcome", "forecast_days", "is_estimated", "try_version"]
