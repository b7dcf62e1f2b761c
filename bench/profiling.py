"""Where the pipeline's time goes: the worker's by stage as py-spy sees it, the database's by statement."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.processes import Crew, Sink, say
from bench.world import World

RATE = 500
# The first stage that a frame of the stack fits, from the innermost frame outwards.
STAGES = (
    ("encryption", ("core/crypto.py",)),
    ("copies of what was said", ("services/copies.py",)),
    ("links", ("rendering/links.py", "messaging/tracking/", "core/tokens.py")),
    ("MIME", ("smtp/mime", "smtp/dkim")),
    ("rendering", ("messaging/rendering/", "liquid/", "markupsafe/")),
    ("SMTP client", ("channels/smtp/",)),
    ("caps", ("engine/reserve",)),
    ("open + settle", ("engine/write", "engine/endings")),
    ("read window + gates", ("engine/window_sql", "engine/quiet")),
    ("lease", ("engine/lease",)),
    ("accounts and buckets", ("engine/accounts",)),
    ("composing", ("engine/compose", "rendering/variables")),
    ("judging", ("engine/judge",)),
    ("window's own work", ("engine/window/", "engine/worker", "engine/transport")),
    ("event loop", ("asyncio/",)),
)


def stage_of(stack: list[str]) -> str:
    """Return the stage of a stack, innermost frame last."""
    for frame in reversed(stack):
        for stage, marks in STAGES:
            if any(mark in frame for mark in marks):
                return stage
    return "other"


def run(world: World, sink: Sink) -> str:
    """Send mail with one worker, and return two tables of where the time went."""
    spy = shutil.which("py-spy") or shutil.which(str(Path(sys.executable).with_name("py-spy")))
    if spy is None:
        return "py-spy is not installed: pip install -r bench/requirements.txt"
    world.use("smtp")
    with Crew(1) as crew, tempfile.TemporaryDirectory() as folder:
        world.campaign(200)
        crew.drain()
        dispatch = world.campaign(world.size.mails)
        say("Sending under py-spy.")
        output = Path(folder) / "stacks"
        command = [
            spy,
            "record",
            "--nonblocking",
            "--full-filenames",
            "-f",
            "raw",
            "-r",
            str(RATE),
            "-o",
            str(output),
        ]
        watcher = subprocess.Popen(
            [*command, "-p", str(crew.members[0].pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(1)
        (report,) = crew.drain()
        watcher.send_signal(signal.SIGINT)
        watcher.wait(timeout=60)
        sent = world.finish(dispatch).sent
        stacks = output.read_text(encoding="utf-8").splitlines()
    return _tables(stacks, report, sent)


def _tables(stacks: list[str], report: dict[str, object], sent: int) -> str:
    stages: Counter[str] = Counter()
    leaves: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        stages[stage_of(frames)] += int(count)
        leaves[frames[-1].replace(str(Path.cwd()) + "/", "")] += int(count)
    total = sum(stages.values()) or 1
    seconds = float(str(report["seconds"]))
    program = float(str(report["cpu"]))
    database, waited = float(str(report["database_cpu"])), float(str(report["database_wall"]))
    lines = [
        f"{sent:,} mails in {seconds:.1f} s by one worker ({sent / seconds:,.0f} a second). A mail takes "
        f"{program / sent * 1e6:.0f} µs of the worker and {database / sent * 1e6:.0f} µs of the database; "
        f"the worker waits {waited / sent * 1e6:.0f} µs for the database.",
        "",
        "| stage of the worker | share of its samples | µs a mail |",
        "|---|---|---|",
    ]
    for stage, samples in stages.most_common():
        share = samples / total
        lines.append(f"| {stage} | {share:.1%} | {share * program / sent * 1e6:.0f} |")
    lines += ["", "| statements | calls | database µs a mail | waited for, µs a mail |", "|---|---|---|---|"]
    kinds = report["kinds"]
    assert isinstance(kinds, dict)
    for kind, (calls, cpu, wall) in sorted(kinds.items(), key=lambda one: -one[1][2]):
        lines.append(f"| {kind} | {calls:,} | {cpu / sent * 1e6:.0f} | {wall / sent * 1e6:.0f} |")
    lines += ["", "The busiest lines:", ""]
    for leaf, samples in leaves.most_common(25):
        lines.append(f"- {samples / total:.1%} {leaf}")
    return "\n".join(lines)
