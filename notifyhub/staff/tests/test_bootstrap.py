"""The first administrator."""

import json
from typing import Any

import pytest
from django.core.management import call_command

from notifyhub.staff.models import User
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_the_first_run_prints_one_line_and_the_next_none(capsys: Any) -> None:
    call_command("bootstrap")
    answer = json.loads(capsys.readouterr().out)
    call_command("bootstrap")

    assert capsys.readouterr().out == ""
    admin = User.objects.get()
    assert admin.username == answer["username"] == "admin"
    assert admin.check_password(answer["password"])
    assert admin.groups.get().role.code == "administrator"


def test_it_keeps_out_of_a_house_that_has_an_administrator(capsys: Any) -> None:
    make_user(username="boss")
    call_command("bootstrap")
    assert capsys.readouterr().out == ""


def test_it_leaves_somebody_else_called_admin_alone(capsys: Any) -> None:
    make_user("agent", username="admin")
    call_command("bootstrap")
    assert capsys.readouterr().out == ""
    assert User.objects.get().is_superuser is False
