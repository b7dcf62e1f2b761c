"""Numbers that come as text, from an address or a form, and may be anything."""


def read_number(text: str | None, *, digits: int = 18) -> int | None:
    """Return the whole number that `text` is, or None; more than 18 digits fit no column.

    Plain digits only: "²" is a digit to Python and no number, and "٣" is one that no link of ours holds.
    """
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= digits else None
