"""A Celery worker with one item that kills it: `celery -A notifyhub.messaging.tests.kit.worker worker`.

The origin "killer" fills in the texts; the item KILLER_ITEM makes the process kill itself on the way, as a
fault in a library of native code would.
"""

import os
import signal
from collections.abc import Sequence
from typing import Any

import django

from notifyhub.celery import app as app

ORIGIN = "killer"


def variables(dispatch_id: int, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return what the items say, if the process lives on."""
    if int(os.environ["KILLER_ITEM"]) in keys:
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


if "KILLER_ITEM" in os.environ:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifyhub.settings")
    django.setup()
    from notifyhub.messaging.registry import item_variables

    item_variables.register(ORIGIN, variables)
