"""Lists of one kind for PostgreSQL, written as it keeps them: neither side has to quote or parse.

psycopg writes the items of a list one by one, which for the lists of a window was a tenth of a worker's time.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from psycopg import pq
from psycopg.adapt import AdaptersMap, Dumper

_BYTEA, _INT8, _TEXT = 17, 20, 25
_BYTEA_ARRAY, _INT8_ARRAY, _TEXT_ARRAY = 1001, 1016, 1009
_HEAD = struct.Struct(">iiiii")
_LENGTH = struct.Struct(">i").pack
_NULL = _LENGTH(-1)


class Bigints(list[int]):
    """A bigint[] without nulls, which does not change once it was used."""

    written: bytes | None = None


class Texts(list[str]):
    """A text[] without nulls."""


class Octets(list[bytes | None]):
    """A bytea[]."""


class _BigintsDumper(Dumper):
    format = pq.Format.BINARY
    oid = _INT8_ARRAY

    def dump(self, obj: Any) -> bytes:
        if obj.written is None:
            count = len(obj)
            items = bytearray(_packer(count)(*obj))
            # Each number says before it that it is eight bytes long.
            items[3::12] = b"\x08" * count
            obj.written = _head(_INT8, count) + items
        found: bytes = obj.written
        return found


class _TextsDumper(Dumper):
    format = pq.Format.BINARY
    oid = _TEXT_ARRAY

    def dump(self, obj: Any) -> bytes:
        items = [one.encode() for one in obj]
        return _head(_TEXT, len(items)) + b"".join([_LENGTH(len(one)) + one for one in items])


class _OctetsDumper(Dumper):
    format = pq.Format.BINARY
    oid = _BYTEA_ARRAY

    def dump(self, obj: Any) -> bytes:
        items = [_NULL if one is None else _LENGTH(len(one)) + one for one in obj]
        return _head(_BYTEA, len(items), nulls=None in obj) + b"".join(items)


@lru_cache(maxsize=512)
def _packer(count: int) -> Callable[..., bytes]:
    return struct.Struct(f">{'4xq' * count}").pack


def _head(kind: int, count: int, *, nulls: bool = False) -> bytes:
    """Return what stands before the items: dimensions, whether there are nulls, their type, their number."""
    if not count:
        return struct.pack(">iii", 0, 0, kind)
    return _HEAD.pack(1, int(nulls), kind, count, 1)


def register(adapters: AdaptersMap) -> None:
    """Make these lists known to a connection or a cursor."""
    adapters.register_dumper(Bigints, _BigintsDumper)
    adapters.register_dumper(Texts, _TextsDumper)
    adapters.register_dumper(Octets, _OctetsDumper)
