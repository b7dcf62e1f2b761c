"""What keeps a dispatch from going faster than it does, in one line."""

from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.templatetags.nh import number
from notifyhub.messaging.models import Batch, Dispatch, Halt
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches.holding import Holding
from notifyhub.messaging.services.dispatches.progressing import Progress
from notifyhub.messaging.services.pace import ChannelPace, accounts_words, channel_paces
from notifyhub.staff.models import NodeBeat

ALIVE = timedelta(seconds=45)
# Below this part of what an account gives, others must be taking from it.
SHARED = 0.7


def what_limits(dispatch: Dispatch, counts: Progress, held: Sequence[Holding] = ()) -> str:
    """Return the one thing that sets its rate now, the strongest first; "" if nothing is known to, or nothing
    is to be sent. At most four queries."""
    if dispatch.state != Dispatch.State.RUNNING or not counts.open:
        return ""
    if held:
        return held[0].words
    if counts.open <= counts.waiting:
        return _("Waits for the end of quiet hours.")
    now = timezone.now()
    due = Batch.objects.filter(dispatch=dispatch, state__lt=Batch.State.DONE, not_before__lte=now)
    channels = set(due.values_list("channel", flat=True).distinct())
    if not channels:
        return ""
    return _without_workers(Priority(dispatch.priority)) or _by_rate(dispatch, channel_paces(channels))


def _without_workers(priority: Priority) -> str:
    alive = NodeBeat.objects.filter(
        kind="worker", at__gte=timezone.now() - ALIVE, queues__contains=priority.name.lower()
    )
    names = set(alive.values_list("name", flat=True))
    if not names:
        return _("No worker serves it now.")
    halts = Halt.objects.filter(scope=Halt.Scope.WORKER, lifted_at=None, value__in=names)
    if names <= set(halts.values_list("value", flat=True)):
        return _("All its workers are draining.")
    return ""


def _by_rate(dispatch: Dispatch, paces: dict[str, ChannelPace]) -> str:
    dry = sorted((pace for pace in paces.values() if pace.dry), key=lambda pace: pace.rate)
    own = dispatch.rate_per_second
    if dry and (own is None or dry[0].rate <= own):
        facts = {"what": accounts_words(dry[0].names), "rate": number(dry[0].rate)}
        if dispatch.rate is not None and dispatch.rate < SHARED * dry[0].rate:
            return _("Limited by %(what)s: %(rate)s a second, shared with other sendings.") % facts
        return _("Limited by %(what)s: %(rate)s a second.") % facts
    if own is not None:
        return _("Limited by %(what)s: %(rate)s a second.") % {"what": _("its own rate"), "rate": number(own)}
    return ""
