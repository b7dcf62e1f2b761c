"""Draining everything that is due in one process that then ends: the command, and tests through it."""

from notifyhub.messaging.engine.chain import look_at_due
from notifyhub.messaging.engine.collector import calm_collector
from notifyhub.messaging.engine.finish import finish_dispatches
from notifyhub.messaging.engine.planner import open_scheduled, plan_dispatch
from notifyhub.messaging.engine.reaper import reap_expired_leases
from notifyhub.messaging.engine.stopping import is_stopping
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.worker import Worker
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.models.dispatch import Priority

ROUND_SECONDS = 15.0


def drain_everything() -> dict[str, int]:
    """Plan, send, reap and finish until nothing is due; return how much of each was done."""
    done = {"planned": 0, "settled": 0, "reaped": 0, "finished": 0}
    calm_collector()
    transport = Transport()
    try:
        worker = Worker(transport)
        busy = True
        while busy and not is_stopping():
            open_scheduled()
            waiting = Dispatch.objects.filter(state=Dispatch.State.PLANNING)
            for dispatch_id in waiting.values_list("pk", flat=True):
                plan_dispatch(dispatch_id=dispatch_id)
                done["planned"] += 1
            reaped = reap_expired_leases()
            settled = 0
            for priority in Priority:
                settled += worker.drain(priority=priority, seconds=ROUND_SECONDS)
            looked = look_at_due()
            finished = finish_dispatches()
            done["reaped"] += reaped
            done["settled"] += settled
            done["finished"] += finished
            busy = bool(reaped or settled or looked or finished)
    finally:
        transport.close()
    return done
