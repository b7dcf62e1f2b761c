"""Words for the verbs of the audit trail."""

from typing import Any

from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

VERBS: dict[str, Any] = {
    "create_api_key": _("Created an API key"),
    "update_api_key": _("Changed an API key"),
    "revoke_api_key": _("Revoked an API key"),
    "create_user": _("Added a member of staff"),
    "update_user": _("Changed a member of staff"),
    "set_password": _("Set a password"),
    "update_profile": _("Changed their own profile"),
    "create_team": _("Added a team"),
    "update_team": _("Changed a team"),
    "update_role": _("Changed what a role may do"),
    "cancel_job": _("Cancelled a job"),
    "download_job_file": _("Downloaded a result file"),
    "update_periodic_task": _("Changed a periodic task"),
    "create_periodic_task": _("Added a periodic task"),
    "create_schedule": _("Added a schedule"),
    "delete_periodic_task": _("Deleted a periodic task"),
}


def say(verb: str) -> str:
    """Return the verb in words for the reader; one that nobody described is shown as it is written."""
    known = VERBS.get(verb)
    return str(known) if known else translate(verb.replace("_", " ").capitalize())
