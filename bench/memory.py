"""Memory of a worker child: its peak for a small, a large and a huge dispatch, each in a new process."""

from bench.processes import Crew, say
from bench.table import Figure, measured
from bench.world import World
from notifyhub.messaging.engine.planner import plan_dispatch


def run(world: World) -> list[Figure]:
    """Return the figures of memory and, since they come along, of speed without a provider."""
    world.use("null")
    peaks: dict[int, float] = {}
    speed = 0.0
    for people in world.size.memory:
        say(f"Memory of a worker at {people:,} recipients.")
        dispatch = world.accept(world.audience(people), world.edition())
        plan_dispatch(dispatch_id=dispatch.pk)
        with Crew(1) as crew:
            (report,) = crew.drain()
        finished = world.finish(dispatch)
        peaks[people] = report["peak"]
        speed = finished.sent / report["seconds"]
    figures = [
        measured(
            f"peak memory of a worker child, {people:,} recipients", [peak], "MiB", target=150, more=False
        )
        for people, peak in peaks.items()
    ]
    first, *_rest = peaks
    last = max(peaks)
    figures.append(
        measured(
            f"growth of that memory to {last:,} recipients",
            [peaks[last]],
            "MiB",
            baselines=[peaks[first]],
            against=f"at {first:,} recipients",
            target=1.2,
            aim=1.0,
            more=False,
        )
    )
    figures.append(measured("pipeline without a provider, 1 worker", [speed], "messages/s"))
    return figures
