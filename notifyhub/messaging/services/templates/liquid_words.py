"""What Liquid's parser says is wrong, in words for whoever writes the text."""

import re
from typing import Any

from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

# In this order; the first that fits speaks. `%(what)s` is the piece of the text that is meant.
SAYINGS: list[tuple[str, Any]] = [
    (r"missing expression", _("A condition or a loop says nothing after its first word.")),
    (
        r"expected tag end(?P<what>\w+), found",
        _("{%% %(what)s %%} is not closed. Write {%% end%(what)s %%}."),
    ),
    (r"expected '(?P<what>[}%]+)', found end", _("A bracket is not closed: %(what)s is missing.")),
    (r"unexpected tag '(?P<what>end\w+|else|elsif|when)'", _("{%% %(what)s %%} has no beginning.")),
    (r"unexpected tag '(?P<what>\w+)'", _("There is no tag {%% %(what)s %%}.")),
    (r"expected end of expression, found '='", _("To compare, write == instead of =.")),
    (r"expected end of expression, found", _("There is a word too much inside the brackets.")),
    (r"expected in, found", _("A loop is written {%% for one in many %%}.")),
    (r"expected a primitive expression, found", _("Nothing stands between the brackets.")),
    (r"unexpected [\"'\\]{3,}", _("A quotation mark is not closed.")),
]


def say(message: str) -> str:
    """Return the message in the reader's words; one that nobody described stays as the parser wrote it."""
    for pattern, saying in SAYINGS:
        found = re.match(pattern, message)
        if found:
            return str(saying) % found.groupdict()
    return translate("Liquid cannot read this: %s") % message
