"""End to end: personalised mail over SMTP, ours and the baselines' over the same server, round by round."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.baselines import bare_smtp, django_mail, post_office
from bench.baselines.task_each import TaskEach
from bench.processes import Crew, Sink, end, say, start
from bench.sample import Mail, read_mail
from bench.table import Figure, measured
from bench.world import World
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.messaging.models import Delivery

CONNECTIONS = 4
PROCESSES = (1, 2)


class Bare:
    """Processes of the bare client, started once."""

    def __init__(self, sink: Sink, mail: Mail) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "mail"
        path.write_bytes(mail.wire)
        words = ("-m", "bench.baselines.bare_smtp", str(sink.port), str(path), str(CONNECTIONS))
        self.members = [
            start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(max(PROCESSES))
        ]
        for one in self.members:
            assert one.stdout
            one.stdout.readline()

    def send(self, count: int, processes: int) -> float:
        """Send so many mails with so many processes; return messages a second."""
        chosen = self.members[:processes]
        began = time.perf_counter()
        for one in chosen:
            assert one.stdin
            one.stdin.write(f"{count // processes}\n")
            one.stdin.flush()
        for one in chosen:
            assert one.stdout
            assert one.stdout.readline() == "done\n"
        return count / (time.perf_counter() - began)

    def close(self) -> None:
        """End them."""
        end(self.members)
        self.folder.cleanup()


def pipeline(world: World, sink: Sink, crew: Crew, processes: int) -> tuple[float, float, float, float]:
    """Send a campaign; return messages a second with and without planning, and microseconds of processor
    time a message of the workers and of the database."""
    # The list is made before: the others get theirs for nothing too.
    rule, version = world.audience(int(world.size.mails * 1.5)), world.edition()
    before = sink.totals()[0]
    began = time.perf_counter()
    dispatch = world.accept(rule, version)
    world.plan(dispatch)
    planned = time.perf_counter()
    reports = crew.drain(processes)
    ended = time.perf_counter()
    sent = world.finish(dispatch).sent
    assert sink.totals()[0] - before == sent, "the server and the ledger do not agree"
    program = sum(one["cpu"] for one in reports) / sent * 1e6
    database = sum(one["database_cpu"] for one in reports) / sent * 1e6
    return sent / (ended - began), sent / (ended - planned), program, database


def take_sample(world: World, sink: Sink, crew: Crew) -> Mail:
    """Send a few mails and return one of them as it came over the wire."""
    dispatch = world.campaign(50)
    sink.keep_next()
    crew.drain(1)
    world.finish(dispatch)
    wire = sink.kept()
    # The first one on the wire, of several connections: found by its address.
    for row in Delivery.objects.filter(dispatch_id=dispatch.pk, state=Delivery.State.SENT):
        customer = Customer.objects.get(pk=row.customer_id)
        address = ContactPoint.objects.get(pk=row.contact_id).value
        if f"<{address}>".encode() in wire or f"To: {address}".encode() in wire:
            return read_mail(wire, name=customer.name, city=customer.city)
    raise AssertionError("the sample belongs to nobody")


def run(world: World, sink: Sink) -> list[Figure]:
    """Return the figures of sending mail."""
    size = world.size
    world.use("smtp")
    with contextlib.ExitStack() as stack:
        crew = stack.enter_context(Crew(max(PROCESSES)))
        mail = take_sample(world, sink, crew)
        bare = Bare(sink, mail)
        stack.callback(bare.close)
        tasks = stack.enter_context(TaskEach(mail))
        ceiling = bare_smtp.flood(sink.port, mail.wire, size.mails)
        baselines: dict[str, Callable[[], float]] = {
            "send_messages + bulk_update": lambda: django_mail.send_messages(mail, size.send_messages),
            "a task per recipient": lambda: tasks.send(size.tasks),
        }
        if post_office.installed():
            baselines["django-post-office"] = lambda: post_office.send(mail, size.post_office)
        else:
            say(post_office.MISSING)
        ours: dict[int, list[tuple[float, float, float, float]]] = {one: [] for one in PROCESSES}
        raw: dict[int, list[float]] = {one: [] for one in PROCESSES}
        others: dict[str, list[float]] = {name: [] for name in baselines}
        for number in range(size.rounds + 1):
            say(f"Mail over SMTP, {f'round {number}' if number else 'warming up'}.")
            for processes in PROCESSES:
                speed = bare.send(size.mails, processes)
                found = pipeline(world, sink, crew, processes)
                if number:
                    raw[processes].append(speed)
                    ours[processes].append(found)
            for name, measure in baselines.items():
                if number:
                    others[name].append(measure())
    return [*_pipeline_figures(ours, raw, others, mail, ceiling)]


def _pipeline_figures(
    ours: dict[int, list[tuple[float, float, float, float]]],
    raw: dict[int, list[float]],
    others: dict[str, list[float]],
    mail: Mail,
    ceiling: float,
) -> list[Figure]:
    best = max(PROCESSES)
    whole = [one[0] for one in ours[best]]
    single = [one[0] for one in ours[1]]
    asked = {"django-post-office": (12, 20), "a task per recipient": (40, 90), "send_messages + bulk_update": (10, 17)}
    figures = []
    for name, (target, aim) in asked.items():
        against = name if name in others else f"{name} (not installed)"
        figures.append(
            measured(
                f"mail end to end, {best} workers, planning included",
                whole,
                "mails/s",
                baselines=others.get(name, []),
                against=against,
                target=target,
                aim=aim,
            )
        )
    figures.append(
        measured(
            "mail end to end, 1 worker, planning included",
            single,
            "mails/s",
            baselines=others.get("django-post-office", []),
            against="django-post-office, 1 process",
        )
    )
    for processes in PROCESSES:
        figures.append(
            measured(
                f"pipeline after planning, {processes} worker{'s' * (processes > 1)}",
                [one[1] for one in ours[processes]],
                "mails/s",
                baselines=raw[processes],
                against=f"bare pipelined client, {processes} process{'es' * (processes > 1)}",
                target=0.35,
                aim=0.5,
                note=f"{mail.size:,} bytes a mail",
            )
        )
    figures += [
        measured("worker's processor time a mail", [one[2] for one in ours[1]], "µs", more=False),
        measured("database's processor time a mail", [one[3] for one in ours[1]], "µs", more=False),
        measured("the SMTP server's own ceiling", [ceiling], "mails/s"),
    ]
    return figures
