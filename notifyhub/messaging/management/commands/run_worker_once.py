"""`manage.py run_worker_once`: drain what is due, then exit."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.messaging.engine.stopping import request_stop, withdraw_stop


class Command(BaseCommand):
    """Plans, sends, reaps and finishes in this process."""

    help = "Drain what is due (plan, send, reap, finish) in the foreground, then exit."

    def handle(self, *args: Any, **options: Any) -> None:
        withdraw_stop()
        try:
            # A clean stop: the window under way ends, the lease goes back, nothing is left in doubt.
            before = signal.signal(signal.SIGTERM, lambda *_: request_stop())
        except ValueError:
            before = None  # not the main thread, so nobody sends us signals
        try:
            done = drain_everything()
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)
        self.stdout.write(
            f"planned {done['planned']} settled {done['settled']} "
            f"reaped {done['reaped']} finished {done['finished']}"
        )
