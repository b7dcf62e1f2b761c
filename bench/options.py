"""What `bench/run` was asked for, and how much work that is."""

import argparse
from dataclasses import dataclass

SECTIONS = (
    *("plan", "settle", "mail", "memory", "codes", "accept"),
    *("events", "traits", "segments", "admin", "reminders"),
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many of what; a baseline that is slow does fewer and is compared by its rate."""

    people: int = 1_000_000
    rounds: int = 3
    plan_baseline: int = 50_000
    settle_rows: int = 40_000
    mails: int = 20_000
    post_office: int = 2_000
    send_messages: int = 2_000
    tasks: int = 1_000
    memory: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    codes: int = 200
    campaign: int = 100_000
    accepts: int = 500
    live_dispatches: int = 20_000
    ledger: int = 10_000_000
    events: int = 60_000
    events_baseline: int = 1_000


SIZES = {
    "full": Size(),
    "quick": Size(
        people=100_000,
        plan_baseline=10_000,
        settle_rows=8_000,
        mails=2_000,
        post_office=400,
        send_messages=400,
        tasks=200,
        memory=(2_000, 10_000, 50_000),
        codes=50,
        campaign=10_000,
        accepts=200,
        live_dispatches=2_000,
        ledger=1_000_000,
        events=20_000,
        events_baseline=300,
    ),
    # For the test of the harness itself; its figures mean nothing.
    "tiny": Size(
        people=3_000,
        rounds=1,
        plan_baseline=500,
        settle_rows=300,
        mails=200,
        post_office=20,
        send_messages=20,
        tasks=5,
        memory=(200, 500),
        codes=5,
        campaign=300,
        accepts=5,
        live_dispatches=50,
        ledger=5_000,
        events=2_000,
        events_baseline=50,
    ),
}

HELP = """\
Measures sending on this machine against baselines in the same run and prints one table.

The databases and the broker are those of DATABASE_URL and BROKER_URL, or throwaway ones. All work is done in
a database of its own, which is dropped at the end, after Ctrl-C too.
"""


def read_options(words: list[str]) -> argparse.Namespace:
    """Return the options; ends the program after --help or for a wrong one."""
    parser = argparse.ArgumentParser(
        prog="bench/run", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per figure, no table")
    parser.add_argument(
        "--quick", dest="size", action="store_const", const="quick", help="a tenth of the work"
    )
    parser.add_argument("--tiny", dest="size", action="store_const", const="tiny", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, help="rounds of each paired measurement")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="NAME", help=" ".join(SECTIONS)
    )
    parser.add_argument("--profile", action="store_true", help="say where the time of the pipeline goes")
    options = parser.parse_args(words)
    options.size = options.size or "full"
    return options
