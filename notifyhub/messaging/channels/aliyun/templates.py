"""Which template of the vendor says what ours says: Alibaba Cloud sends no text, only templates it approved.

The mapping is written line by line into the account, since the codes are the account's:

    login-code zh-hans SMS_154950909 code=code name=customer.name

our template's key, the language (* for any), the vendor's code, and the vendor's parameters with the
variables they are filled from. What no line maps goes through the account's pass-through template.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused

ANY = "*"
_LINE = re.compile(
    r"(?P<key>[-\w]+)\s+(?P<language>[-\w]+|\*)\s+(?P<code>\w+)(?P<rest>(\s+\w+=[\w.\[\]-]+)*)"
)


@dataclass(frozen=True, kw_only=True)
class VendorTemplate:
    """A template of the vendor and its parameters as (name, path of our variable)."""

    code: str
    params: tuple[tuple[str, str], ...]

    def fill(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters; a variable that the customer lacks is empty."""
        return {name: values.get(path, "") for name, path in self.params}


def read_templates(text: str) -> dict[tuple[str, str], VendorTemplate]:
    """Return {(our key, language): template}; raise Refused with the first line that cannot be read."""
    found = {}
    for line in re.split(r"[\n;]", text):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise Refused(
                _("This line cannot be read: %s. Write: key language code parameter=variable …")
                % line.strip()[:80],
                field="templates",
            )
        pairs = [pair.split("=", 1) for pair in match["rest"].split()]
        found[match["key"], match["language"].lower()] = VendorTemplate(
            code=match["code"], params=tuple((name, path) for name, path in pairs)
        )
    return found
