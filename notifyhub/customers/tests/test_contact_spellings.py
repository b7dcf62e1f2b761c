"""Any notation of one number is one number."""

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.core.contact import normalise_phone
from notifyhub.customers.services.contacts import read_contact
from notifyhub.customers.services.importing.records import unescape
from notifyhub.customers.services.words import read_tags, write_tags

mobiles = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
FULL_WIDTH = str.maketrans("0123456789+", "０１２３４５６７８９＋")


@given(
    number=mobiles,
    prefix=st.sampled_from(["", "+86", "86", "0086", "+86 ", "(+86)", "＋86-", "0086 ", "'", "'+86"]),
    cuts=st.tuples(st.integers(0, 11), st.integers(0, 11)),
    glue=st.sampled_from(["", " ", "-", "\u3000", "－", "–", ".", "\t"]),
    wide=st.booleans(),
)
def test_any_notation_of_a_number_gives_one_hash(number, prefix, cuts, glue, wide) -> None:
    low, high = sorted(cuts)
    written = prefix + glue.join([number[:low], number[low:high], number[high:]])
    if wide:
        written = written.translate(FULL_WIDTH)
    assert read_contact(kind="phone", raw=written) == read_contact(kind="phone", raw="+86" + number)


@given(number=mobiles)
def test_the_short_way_for_mobiles_agrees_with_the_library(number) -> None:
    parsed = phonenumbers.parse(number, "CN")
    assert normalise_phone(number) == phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@given(text=st.text(max_size=40))
def test_no_text_breaks_the_reading_of_a_phone(text) -> None:
    value = normalise_phone(text)
    assert value is None or normalise_phone(value) == value


@given(tags=st.lists(st.text(min_size=1, max_size=12).map(str.strip).filter(bool), unique=True))
def test_tags_come_back_from_one_cell(tags) -> None:
    assert read_tags(write_tags(tags)) == tags


@given(cell=st.text(max_size=10))
def test_only_a_guarded_formula_loses_its_apostrophe(cell) -> None:
    guarded = cell.lstrip("'")[:1] in tuple("=+-@\t\r\n＝＋－＠") and cell.startswith("'")
    assert unescape(cell) == (cell[1:] if guarded and cell.lstrip("'") else cell)
