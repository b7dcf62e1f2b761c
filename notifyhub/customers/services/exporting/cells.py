"""Cells that a spreadsheet shows and never runs."""

import re

# OWASP's list with the full-width forms that spreadsheets in East Asian locales take for the same.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def guard(text: str) -> str:
    """Return the text with an apostrophe before it if it might be run; the import takes it off again.

    A text that looks guarded already gets one more, so that taking one off always gives the original.
    """
    return "'" + text if _FORMULA.match(text) else text


def guard_typed(text: str) -> str:
    """Return the text for a cell that is typed as text: only what looks guarded needs one more."""
    return "'" + text if _GUARDED.match(text) else text
