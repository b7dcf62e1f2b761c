"""The harness runs and leaves nothing behind; its numbers are nobody's business here."""

import json
import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from bench.database import Scratch
from bench.table import as_table, measured

ROOT = Path(__file__).resolve().parent.parent.parent


def databases() -> set[str]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


@pytest.mark.processes
def test_a_tiny_run_gives_a_row_per_figure_and_drops_its_database() -> None:
    done = subprocess.run(
        [ROOT / "bench" / "run", "--tiny", "--json", "--only", "plan", "settle", "events", "segments"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"name", "value", "unit", "baseline", "ratio", "target", "met"} <= set(rows[0])
    by_name = {row["name"]: row for row in rows}
    assert by_name["plan again: rows inserted"]["value"] == 0
    assert by_name["lease + settle with events, database time a row"]["ratio"] > 0
    assert by_name["events in by our API"]["value"] > 0
    assert Scratch(os.environ["DATABASE_URL"]).name not in databases()


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    figure = measured("speed", [10, 100, 20], "a second", baselines=[1, 50, 4], against="other", target=5)
    assert figure.ratio == 5
    assert figure.met is True
    assert "met" in as_table([figure])


def test_a_figure_without_its_baseline_does_not_meet_its_target() -> None:
    figure = measured("speed", [10], "a second", against="other (not installed)", target=5)
    assert figure.met is False
    assert "not installed" in as_table([figure])
