"""Case numbers survive being read out over the phone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.services.numbers import check_digit, draw_number, read_number

NUMBERS = st.integers(0, 10**11 - 1).map(lambda n: f"{n:011d}")


def spell(digits: str) -> str:
    return f"C{digits[:6]}-{digits[6:]}-{check_digit(digits)}"


@given(NUMBERS)
def test_a_number_reads_back_in_any_notation(digits: str) -> None:
    number = spell(digits)
    assert read_number(number) == number
    assert read_number(number.lower().replace("-", " ")) == number


@given(NUMBERS, st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(digits: str, place: int, shift: int) -> None:
    whole = digits + check_digit(digits)
    wrong = whole[:place] + str((int(whole[place]) + shift) % 10) + whole[place + 1 :]
    assert check_digit(wrong[:-1]) != wrong[-1]


@given(NUMBERS, st.integers(0, 10))
def test_two_swapped_neighbours_are_noticed(digits: str, place: int) -> None:
    whole = digits + check_digit(digits)
    wrong = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
    assert wrong == whole or check_digit(wrong[:-1]) != wrong[-1]


@pytest.mark.django_db
def test_numbers_count_up_within_a_day_of_the_house_and_start_again() -> None:
    # 16:30 UTC on the 20th is past midnight in Shanghai.
    first = [draw_number(now=datetime(2026, 11, 20, 15, 0, tzinfo=UTC)) for _n in range(3)]
    after = draw_number(now=datetime(2026, 11, 20, 16, 30, tzinfo=UTC))
    assert [number[:13] for number in first] == ["C261120-00001", "C261120-00002", "C261120-00003"]
    assert after.startswith("C261121-00001-")
