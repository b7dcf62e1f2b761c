"""End to end: personalised mail over SMTP, ours and the baselines' over the same server, round by round."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
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
# Accounts, and what their servers do with a mail.
FAST, STORING = "smtp", "smtp-storing"
WORDS = {FAST: "keeps nothing", STORING: "writes each mail to a file"}


class Bare:
    """Processes of the bare client, started once."""

    def __init__(self, mail: Mail) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "mail"
        path.write_bytes(mail.wire)
        words = ("-m", "bench.baselines.bare_smtp", str(path), str(CONNECTIONS))
        self.members = [
            start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(max(PROCESSES))
        ]
        for one in self.members:
            assert one.stdout
            one.stdout.readline()

    def send(self, count: int, processes: int, sink: Sink) -> float:
        """Send so many mails to that server with so many processes; return messages a second."""
        chosen = self.members[:processes]
        began = time.perf_counter()
        for one in chosen:
            assert one.stdin
            one.stdin.write(f"{sink.port} {count // processes}\n")
            one.stdin.flush()
        for one in chosen:
            assert one.stdout
            assert one.stdout.readline() == "done\n"
        return count / (time.perf_counter() - began)

    def close(self) -> None:
        """End them."""
        end(self.members)
        self.folder.cleanup()


@dataclass(frozen=True, kw_only=True)
class Run:
    """Mails a second with planning and without; microseconds a mail of the workers and of the database."""

    whole: float
    sending: float
    program: float
    database: float


def pipeline(world: World, sink: Sink, crew: Crew, processes: int, mails: int) -> Run:
    """Send a campaign through so many workers; return how fast that was."""
    # The list is made before: the others get theirs for nothing too.
    rule, version = world.audience(int(mails * 1.5)), world.edition()
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
    return Run(
        whole=sent / (ended - began), sending=sent / (ended - planned), program=program, database=database
    )


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
        address = str(ContactPoint.objects.get(pk=row.contact_id or 0).value)
        if f"<{address}>".encode() in wire or f"To: {address}".encode() in wire:
            return read_mail(wire, name=customer.name, city=customer.city)
    raise AssertionError("the sample belongs to nobody")


def run(world: World, sink: Sink) -> list[Figure]:
    """Return the figures of sending mail."""
    size = world.size
    world.use(FAST)
    with contextlib.ExitStack() as stack:
        crew = stack.enter_context(Crew(max(PROCESSES)))
        mail = take_sample(world, sink, crew)
        bare = Bare(mail)
        stack.callback(bare.close)
        storing = stack.enter_context(Sink(stores=True))
        world.account(STORING, "smtp", port=storing.port)
        tasks = stack.enter_context(TaskEach(mail))
        sinks = {FAST: sink, STORING: storing}
        ceilings = {name: bare_smtp.flood(one.port, mail.wire, size.mails) for name, one in sinks.items()}
        baselines: dict[str, Callable[[], float]] = {
            "send_messages + bulk_update": lambda: django_mail.send_messages(mail, size.send_messages),
            "a task per recipient": lambda: tasks.send(size.tasks),
        }
        if post_office.installed():
            baselines["django-post-office"] = lambda: post_office.send(mail, size.post_office)
        else:
            say(post_office.MISSING)
        runs: dict[tuple[str, int], list[Run]] = {}
        raw: dict[tuple[str, int], list[float]] = {}
        others: dict[str, list[float]] = {name: [] for name in baselines}
        # One server after the other: what the storing one writes would be on its way to the disk, beside the
        # database's own, while the other is measured.
        for name, server in sinks.items():
            world.use(name)
            for number in range(size.rounds + 1):
                say(f"Mail, server that {WORDS[name]}, {f'round {number}' if number else 'warming up'}.")
                for processes in PROCESSES:
                    mails = size.mails if number else size.mails // 10
                    speed = bare.send(mails, processes, server)
                    found = pipeline(world, server, crew, processes, mails)
                    if number:
                        raw.setdefault((name, processes), []).append(speed)
                        runs.setdefault((name, processes), []).append(found)
                if number and name == FAST:
                    for against, measure in baselines.items():
                        others[against].append(measure())
    return [
        *_against_others(runs, others),
        *_against_bare(runs, raw, mail),
        *(
            measured(f"ceiling of the server that {WORDS[name]}", [one], "mails/s")
            for name, one in ceilings.items()
        ),
    ]


def _workers(processes: int) -> str:
    return f"{processes} worker{'s' * (processes > 1)}"


def _against_others(runs: dict[tuple[str, int], list[Run]], others: dict[str, list[float]]) -> list[Figure]:
    asked: dict[str, tuple[float, float]] = {
        "django-post-office": (12, 20),
        "a task per recipient": (40, 90),
        "send_messages + bulk_update": (10, 17),
    }
    figures = []
    for processes in reversed(PROCESSES):
        for name, (target, aim) in asked.items():
            figures.append(
                measured(
                    f"mail end to end, {_workers(processes)}",
                    [one.whole for one in runs[FAST, processes]],
                    "mails/s",
                    baselines=others.get(name, []),
                    against=name if name in others else f"{name} (not installed)",
                    target=target if processes == max(PROCESSES) else None,
                    aim=aim if processes == max(PROCESSES) else None,
                )
            )
    return figures


def _against_bare(
    runs: dict[tuple[str, int], list[Run]], raw: dict[tuple[str, int], list[float]], mail: Mail
) -> list[Figure]:
    figures = []
    for (name, processes), found in runs.items():
        figures.append(
            measured(
                f"pipeline, {_workers(processes)}, server that {WORDS[name]}",
                [one.sending for one in found],
                "mails/s",
                baselines=raw[name, processes],
                against=f"bare client, {processes} process{'es' * (processes > 1)}",
                note=f"{mail.size:,} bytes a mail",
            )
        )
    most = max(PROCESSES)
    for name, words in WORDS.items():
        # What the ratios 0.35 and 0.5 left for it where they were found: see ADR 19.
        pairs = zip(runs[name, most], raw[name, most], strict=True)
        figures.append(
            measured(
                f"a mail more than the bare client's, {_workers(most)}, server that {words}",
                [most * 1e6 * (1 / ours.sending - 1 / bare) for ours, bare in pairs],
                "µs",
                target=256,
                aim=138,
                more=False,
            )
        )
    single = runs[FAST, 1]
    figures += [
        measured("worker's processor time a mail", [one.program for one in single], "µs", more=False),
        measured("database's processor time a mail", [one.database for one in single], "µs", more=False),
    ]
    return figures
