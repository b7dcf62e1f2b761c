"""Bodies as vendors send them."""

import json
from typing import Any

from notifyhub.messaging.channels.base import Unreadable


def read_json(body: bytes) -> Any:
    """Return the JSON of a body in UTF-8, or in GB18030 as older gateways of China write it.

    Raises Unreadable.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = body.decode("gb18030")
        except UnicodeDecodeError as error:
            raise Unreadable("This is neither UTF-8 nor GB18030.") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("This is not JSON.") from error
