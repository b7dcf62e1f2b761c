"""From a short token to its message and its address, with few questions to the database."""

from dataclasses import dataclass
from functools import lru_cache

from notifyhub.messaging.models import Dispatch, Link
from notifyhub.messaging.tracking.short import ID_BLOCK, delivery_at, read_short


@dataclass(frozen=True, kw_only=True)
class Found:
    """The message a token names; `url` is None for a number that its text has no address for."""

    dispatch_id: int
    delivery_id: int
    link: int
    url: str | None


@lru_cache(maxsize=4096)
def _blocks(dispatch_id: int, block: int) -> tuple[tuple[int, ...], int | None]:
    """Return the blocks and the template version of a dispatch that has the block; raises LookupError.

    A dispatch may still take further blocks; one that it has stays, so an answer stays true.
    """
    row = Dispatch.objects.filter(pk=dispatch_id).values_list("blocks", "template_version_id").first()
    if row is None or block >= len(row[0]):
        raise LookupError
    return tuple(row[0]), row[1]


@lru_cache(maxsize=1024)
def _urls(template_version_id: int) -> dict[int, str]:
    """Return the addresses of a published version, which never change."""
    return dict(Link.objects.filter(template_version_id=template_version_id).values_list("number", "url"))


def forget() -> None:
    """Forget what was looked up (a test's database ends before its process)."""
    _blocks.cache_clear()
    _urls.cache_clear()


def find_message(token: str) -> Found | None:
    """Return what the token names, or None if it is forged or its dispatch is gone."""
    named = read_short(token)
    if named is None:
        return None
    try:
        blocks, version = _blocks(named.dispatch_id, named.place // ID_BLOCK)
    except LookupError:
        return None
    delivery_id = delivery_at(blocks=blocks, place=named.place)
    if delivery_id is None:
        return None
    urls = _urls(version) if version is not None else {}
    return Found(
        dispatch_id=named.dispatch_id,
        delivery_id=delivery_id,
        link=named.link,
        url=urls.get(named.link),
    )
