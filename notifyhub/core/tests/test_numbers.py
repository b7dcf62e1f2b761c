"""Numbers that come as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.core.numbers import read_number


@pytest.mark.parametrize("text", [None, "", " 1", "-1", "²", "٣", "1.0", "１", "9" * 19, "1\n", "0x1"])
def test_what_is_no_plain_number_is_none(text: str | None) -> None:
    assert read_number(text) is None


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    found = read_number(text)
    assert found is None or 0 <= found < 10**18


def test_a_number_is_read() -> None:
    assert read_number("42") == 42
    assert read_number("1" * 10, digits=9) is None
