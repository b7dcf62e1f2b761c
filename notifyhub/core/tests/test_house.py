"""The rules that hold the house up, over every app there is."""

import subprocess
import sys
from pathlib import Path

from django.apps import apps
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
# Siblings share a floor and do not know each other. Everything else is ground for all.
FLOORS = {
    "staff": 1,
    "customers": 2,
    "coupons": 3,
    "messaging": 4,
    "reminders": 5,
    "campaigns": 6,
    "feedback": 6,
}
WALL = 400


def source_files() -> list[Path]:
    """Return the Python files of the project, generated migrations left out."""
    folders = [ROOT / name for name in ("notifyhub", "campaigns", "feedback", "bench")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return [path for path in files if "migrations" not in path.parts] + list(ROOT.glob("*.py"))


def test_imports_point_down_only() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_foreign_key_points_up_or_across() -> None:
    wrong = []
    for model in apps.get_models(include_auto_created=True):
        floor = FLOORS.get(model._meta.app_label)
        if floor is None:
            continue
        for field in model._meta.get_fields():
            target = getattr(field, "remote_field", None) and field.related_model
            if not isinstance(target, type) or not field.concrete:
                continue
            other = FLOORS.get(target._meta.app_label, 0)
            across = other == floor and target._meta.app_label != model._meta.app_label
            if other > floor or across:
                wrong.append(f"{model._meta.label}.{field.name} -> {target._meta.label}")
    assert wrong == []


def test_no_file_is_longer_than_the_wall() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in source_files()}
    assert {str(path): lines for path, lines in lengths.items() if lines > WALL} == {}


def test_nothing_is_left_for_later() -> None:
    marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error"]
    found = [
        f"{path.relative_to(ROOT)}: {mark}"
        for path in source_files()
        for mark in marks
        if mark in path.read_text("utf-8")
    ]
    assert found == []


def test_every_app_of_ours_stands_on_a_floor() -> None:
    ours = {app.label for app in apps.get_app_configs() if Path(app.path).is_relative_to(ROOT)}
    outside = {label for label in ours if (ROOT / ".venv") in Path(apps.get_app_config(label).path).parents}
    assert ours - outside - set(FLOORS) <= {"core", "console"}
