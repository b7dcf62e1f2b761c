"""A parsed Liquid text as one Python function: the same bytes as python-liquid, many times as fast.

python-liquid parses: `compile_template` takes its syntax tree, so what a text means, and whether it is Liquid
at all, is decided by the library alone. Each node becomes a few lines of Python. Filters, comparisons that
are not between plain words or numbers, and everything but plain words on its way out go through the
library's own functions.

What keeps the two the same:

- A text with anything that is not known here is not compiled; the library fills it in as a whole.
- The function never decides that a text fails. Whatever goes wrong in it (a limit, a bad filter argument, an
  output over half the limit, where counting alike would be dear) makes `Part.render` ask the library, from
  the start. So an error is always the library's error, with its words and line.
- tests/test_conformance.py compares both over generated texts and facts.

Why running generated Python is safe: the source holds only keywords, names that `source.Source` numbers by
itself (`K3`, `t7`), the names of `runtime.NAMES` and numbers of our own. Every word of an author (text,
variable names, keys, filter names, arguments) is an object in the table of constants and is never written
into the source; so no text can say anything in Python. The function sees no builtins.
"""

from collections.abc import Callable, Mapping
from typing import Any

from liquid.template import BoundTemplate

from notifyhub.messaging.channels.base import Page
from notifyhub.messaging.rendering.fast.pages import page_of
from notifyhub.messaging.rendering.fast.source import Unsupported
from notifyhub.messaging.rendering.fast.template import write_template

# Python itself has limits too: a hundred levels of indentation, twenty of loops.
_NOT_COMPILED = (Unsupported, SyntaxError, RecursionError, MemoryError, UnicodeEncodeError)

Fill = Callable[[Mapping[str, Any]], str]
FillPage = Callable[[Mapping[str, Any]], Page]

__all__ = ["Fill", "FillPage", "compile_page", "compile_template", "page_of"]


def compile_template(template: BoundTemplate) -> Fill | None:
    """Return the function that fills `template` in, or None if it uses what is not known here.

    The function raises any exception when it cannot vouch for the outcome; ask the library then.
    """
    try:
        return write_template(template).function()
    except _NOT_COMPILED:
        return None


def compile_page(template: BoundTemplate) -> FillPage | None:
    """Return the function that fills `template` in as the bytes of a mail, on the same terms."""
    try:
        return write_template(template).page_function()
    except _NOT_COMPILED:
        return None
