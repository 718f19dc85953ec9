"""Where the API is: the operator's GITHUB_API_URL, checked, and the host's addresses.

Tokens are sent to this address and nowhere else, so an ambiguous URL is rejected.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from scheduler.errors import Error

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
Sockaddr = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


class Unreachable(Exception):
    """A connection could not be opened; the message says why."""


class ApiUrl(msgspec.Struct, frozen=True):
    """A checked server address: `path` is its base, without a trailing slash."""

    scheme: Literal["https", "http"]
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def read_api_url(text: str) -> ApiUrl:
    """The address in the operator's GITHUB_API_URL: https, or http for loopback only.

    Raises Error for anything else. The text is shown only where it cannot contain a password.
    """
    hint = "write it as https://api.github.com or https://github.example.com/api/v3"
    if not text.isascii() or re.search(r"[\x00-\x20\x7f\\]", text):
        raise Error(
            "GITHUB_API_URL contains whitespace, a backslash or a character that is not allowed in a URL",
            hint=hint,
        )
    if "@" in text:
        raise Error("GITHUB_API_URL contains a user name, a password or an @", hint=hint)
    if "?" in text or "#" in text:
        raise Error("GITHUB_API_URL contains a query or a fragment", hint=hint)
    refused = Error(f"GITHUB_API_URL is not a valid API address: {text!r}", hint=hint)
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise refused from None
    if parts.scheme not in ("https", "http") or port == 0 or not _is_host(host):
        raise refused
    if ".." in parts.path.split("/") or "//" in parts.path or "%" in parts.path:
        raise refused
    if parts.scheme == "http" and not _is_loopback(host):
        raise Error(
            f"GITHUB_API_URL would send tokens unencrypted: {text!r}",
            hint="use https://; plain http is allowed only for this machine (127.0.0.1, ::1, localhost)",
        )
    scheme: Literal["https", "http"] = "https" if parts.scheme == "https" else "http"
    return ApiUrl(scheme, host, port or (443 if scheme == "https" else 80), parts.path.rstrip("/"))


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    return len(host) <= 253 and _NAME.fullmatch(host) is not None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def resolve(host: str, port: int, timeout: float, *, only_loopback: bool) -> tuple[Sockaddr, ...]:
    """The host's addresses, resolved in a thread because `getaddrinfo` has no timeout. Raises Unreachable."""
    found: list[Sockaddr] = []
    problem: list[str] = []

    def ask() -> None:
        try:
            for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                if not only_loopback or _is_loopback(str(address[0])):
                    found.append((family, address))  # type: ignore[arg-type] # never the bytes form
        except OSError as failure:
            problem.append(f"no such host: {host} ({failure.strerror})")
        except UnicodeError:
            problem.append(f"no such host: {host}")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    if not found:
        late = f"no such host: {host} (no address within {timeout:g} s)"
        raise Unreachable(problem[0] if problem else late)
    return tuple(found)
