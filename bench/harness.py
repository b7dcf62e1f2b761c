"""Runs the measurements one after the other and prints their table, whatever happens to one of them."""

import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import django

from bench.options import SIZES, read_options
from bench.processes import Sink, say
from bench.table import Figure, as_json, as_table


def about() -> str:
    """Return on what this ran."""
    from django.db import connection

    names = ("server_version", "shared_buffers", "fsync", "synchronous_commit", "full_page_writes")
    with connection.cursor() as cursor:
        found = []
        for name in names:
            cursor.execute(f"SHOW {name}")
            found.append(f"{name} {cursor.fetchone()[0]}")
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} at the start; PostgreSQL: {', '.join(found)}"
    )


def forget_queues() -> None:
    """Remove what this run left in the broker."""
    import redis

    from bench.settings import BROKER_URL, KEY_PREFIX

    broker = redis.Redis.from_url(BROKER_URL)
    for key in broker.scan_iter(match=f"{KEY_PREFIX}*", count=1000):
        broker.delete(key)


def main(words: list[str]) -> int:
    """Measure what was asked for; return 0 if all of it could be measured."""
    options = read_options(words)
    size = SIZES[options.size]
    if options.rounds:
        size = replace(size, rounds=options.rounds)
    figures: list[Figure] = []
    failed: list[str] = []
    with Sink() as sink:
        os.environ["BENCH_SMTP_PORT"] = str(sink.port)
        django.setup()
        from django.core.management import call_command

        from bench.world import World

        header = about()
        say("Migrating.")
        call_command("migrate", run_syncdb=True, verbosity=0)
        try:
            world = World(size, smtp_port=sink.port)
            if options.profile:
                from bench import profiling

                print(profiling.run(world, sink))
                return 0
            for name in options.only:
                figures += _measure(name, world, sink, failed)
        except KeyboardInterrupt:
            say("Stopped; this is what was measured until now.")
            failed.append("stopped")
        finally:
            forget_queues()
    if options.json:
        print(as_json(figures), flush=True)
    else:
        print(f"{header}; size: {options.size}\n\n{as_table(figures)}", flush=True)
    if failed:
        say(f"Not measured: {', '.join(failed)}")
    return 1 if failed else 0


def _measure(name: str, world: Any, sink: Sink, failed: list[str]) -> list[Figure]:
    run: Callable[..., list[Figure]] = import_module(f"bench.{name}").run
    began = time.perf_counter()
    try:
        found = run(world, sink) if name in ("mail", "codes") else run(world)
    except Exception:
        # The others can be measured still; the exit code tells.
        traceback.print_exc()
        failed.append(name)
        return [Figure(name=f"{name}: could not be measured", value=None, unit="")]
    say(f"{name} took {time.perf_counter() - began:.0f} s.")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
