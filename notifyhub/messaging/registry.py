"""Roads by which the origin of a dispatch has its say while the dispatch is sent, keyed by origin kind.

`item_variables`: `provider(dispatch_id, dedup_keys) -> {dedup_key: variables}`, asked once per window.

`stop_conditions`: an SQL expression over alias `d` (the messaging_delivery row) that is true when the message
must not go out any more. It is evaluated per row right before sending, so it should be an indexed look-up;
a literal percent sign is written twice. One that is made of others is a function.
"""

from collections.abc import Callable, Sequence
from typing import Any

from notifyhub.core.registry import Registry

ItemVariables = Callable[[int, Sequence[int]], dict[int, dict[str, Any]]]

item_variables: Registry[ItemVariables] = Registry()
stop_conditions: Registry[str | Callable[[], str]] = Registry()


def read(fragment: str | Callable[[], str]) -> str:
    """Return the SQL of a stop condition."""
    return fragment if isinstance(fragment, str) else fragment()
