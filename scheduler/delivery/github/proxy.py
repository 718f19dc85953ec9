"""The proxy on the way to GitHub: HTTPS_PROXY, ALL_PROXY and NO_PROXY of the operator, as curl reads them.

A proxy is only ever asked to CONNECT: TLS is spoken through it with GitHub itself, so it sees neither a token
nor a request, and the proxy, not this machine, resolves GitHub's name. Pure.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from scheduler.delivery.github.api_url import ApiUrl
from scheduler.errors import Error
from scheduler.wording import quoted

_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""In the order in which they are asked; an empty one counts as not set: CI passes unset ones as empty."""
_ENCODE = (
    "write `http://USER:PASSWORD@HOST:PORT`, with `%40` for `@`, `%3A` for `:` and `%2F` for `/` in them"
)


class Proxy(msgspec.Struct, frozen=True):
    """Where to CONNECT. `variable` is the name of the variable that says so."""

    host: str
    port: int
    variable: str
    authorization: str | None = None
    """The value of Proxy-Authorization, a secret."""

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __repr__(self) -> str:
        """Without the password: this may end up in a traceback."""
        return f"Proxy({self})"

    def hint(self, status: int, url: ApiUrl) -> str:
        """What to do where it answered CONNECT with `status`."""
        if status == 407 and self.authorization is None:
            return f"write `{self.variable}=http://USER:PASSWORD@{self}`"
        if status == 407:
            return f"check the user name and the password in {self.variable}"
        if 400 <= status < 500:
            return f"have the proxy allow {url.host}:{url.port}, or connect directly: `NO_PROXY={url.host}`"
        return f"check that the proxy itself can reach {url.host}:{url.port}"


def proxy_for(url: ApiUrl, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy through which `url` is reached; None for a direct connection, as plain http always has.

    Raises Error for an address that cannot be used. The message never repeats a user name or password.
    """
    variable = next((name for name in _VARIABLES if environ.get(name, "").strip()), None)
    exempt = environ.get("no_proxy", "").strip() or environ.get("NO_PROXY", "")
    if variable is None or url.scheme == "http" or is_exempt(url.host, url.port, exempt):
        return None
    return _read(environ[variable].strip(), variable)


def canonical(environ: Mapping[str, str]) -> dict[str, str]:
    """These settings in the one form that `requests` reads as we do; none where there are none.

    Plain http goes to this machine alone, and through no proxy.
    """
    exempt = environ.get("no_proxy", "").strip() or environ.get("NO_PROXY", "").strip()
    entries = [entry for entry in re.split(r"[,\s]+", exempt) if entry]
    listed = "*" if "*" in entries else ",".join(entry.removeprefix("*") for entry in entries)
    variable = next((name for name in _VARIABLES if environ.get(name, "").strip()), None)
    chosen = {} if variable is None else {"https_proxy": environ[variable].strip()}
    unused = (name for name in ("http_proxy", "all_proxy") if environ.get(name) or environ.get(name.upper()))
    return dict.fromkeys(unused, "") | chosen | ({"no_proxy": listed} if listed else {})


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY exempts a host (lower case; an address without brackets).

    It lists, separated by commas or spaces: `*`; names, each with all names below it, with or without a dot
    or `*.` before it; addresses, and networks (`10.0.0.0/8`). Each may end with a port.
    """
    return any(_fits(entry, host, port) for entry in re.split(r"[,\s]+", no_proxy.lower()) if entry)


def _fits(entry: str, host: str, port: int) -> bool:
    match = re.fullmatch(r"\[([^\]]*)\](?::([0-9]{1,5}))?|([^:]*):([0-9]{1,5})", entry)
    name, only = entry, None
    if match is not None:
        name, only = match[1] or match[3] or "", match[2] or match[4]
    if only is not None and int(only) != port:
        return False
    if name == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _read(text: str, variable: str) -> Proxy:
    """`http://user:password@host:port`, where only the host is needed."""
    shown = "" if "@" in text else f": {quoted(text)}"
    invalid = Error(f"{variable} is not a valid proxy address{shown}", hint=_ENCODE)
    address = text if "://" in text else f"http://{text}"
    if not address.isascii() or re.search(r"[\x00-\x20\x7f\\]", address):
        raise invalid
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").rstrip("."), parts.port or 80
    except ValueError:
        raise invalid from None
    if parts.scheme in ("https", "socks4", "socks4a", "socks5", "socks5h"):
        raise Error(
            f"{variable} names a proxy of the kind {parts.scheme}://, which is not supported",
            hint=f"write an HTTP proxy, `{variable}=http://HOST:PORT`, or exempt GitHub's host in NO_PROXY",
        )
    is_host = re.fullmatch(r"[0-9a-f.]*+:[0-9a-f:.]*|[a-z0-9_-]+(\.[a-z0-9_-]+)*", host)
    has_more = parts.query or parts.fragment or parts.path not in ("", "/")
    if parts.scheme != "http" or parts.port == 0 or has_more or not is_host:
        raise invalid
    if "@" not in parts.netloc:
        return Proxy(host, port, variable)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    name, word = unquote_to_bytes(user), unquote_to_bytes(password)
    if b":" in name:
        raise Error(f"the user name in {variable} contains a colon, which no proxy can accept", hint=_ENCODE)
    encoded = base64.b64encode(name + b":" + word).decode("ascii")
    return Proxy(host, port, variable, f"Basic {encoded}")
