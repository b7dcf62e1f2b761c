"""Where a backend may connect to: an address typed into a form must not open our own network.

In production only https and public addresses, and the address that was checked is the one that is connected
to: there is no second look-up that could answer differently. Hosts named in NOTIFYHUB_PRIVATE_ENDPOINTS are
trusted; outside production every host is, so that a local server can stand in for a vendor.
"""

import errno
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Say whether `address` lies in the open internet, also when it hides an IPv4 address in an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        hidden = found.ipv4_mapped or found.sixtofour
        if found.teredo:
            hidden = found.teredo[1]
        elif found in _NAT64:
            hidden = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if hidden is not None:
            return is_public(str(hidden))
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def is_trusted(host: str) -> bool:
    """Say whether `host` may be a private one, spoken to without encryption."""
    return not settings.PRODUCTION or host.lower() in settings.PRIVATE_ENDPOINTS


def check_endpoint(url: str, *, field: str = "endpoint") -> None:
    """Raise Refused if no backend may connect to `url`. A name is looked up only when it is connected to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_trusted(host):
        return
    if parts.scheme != "https":
        raise Refused(_("In production the address must begin with https://."), field=field)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(host):
        raise Refused(_("This address is not a public one."), field=field)


class PinnedResolver(AbstractResolver):
    """Answers with addresses that were checked; what it returns is what the connection is made to."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """Return the addresses of `host`; raise OSError if a single one of them is not allowed."""
        found = await self._inner.resolve(host, port, family)
        if not is_trusted(host) and not all(is_public(one["host"]) for one in found):
            raise OSError(errno.EACCES, f"{host} does not lead to a public address")
        return found

    async def close(self) -> None:
        await self._inner.close()
