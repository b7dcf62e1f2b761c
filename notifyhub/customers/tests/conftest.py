"""Who is signed in, and where files go, in the tests of customers."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from notifyhub.staff.models import User
from notifyhub.staff.tests.factories import make_user


@pytest.fixture
def agent(client: Client) -> Client:
    client.force_login(make_user("agent"))
    return client


@pytest.fixture
def operator(client: Client) -> User:
    user = make_user("operations")
    client.force_login(user)
    return user


@pytest.fixture
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
