"""Servers that the environment names."""

import pytest

from notifyhub.supervise.external import place_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://hub:secret@db.example:5432/hub", "db.example:5432"),
        ("redis://:secret@10.0.0.7/0", "10.0.0.7"),
        ("postgresql://postgres@/hub?host=/run/pg", "/hub"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_place_never_shows_a_password(url: str, place: str) -> None:
    assert place_of(url) == place
