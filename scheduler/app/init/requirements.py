"""The installed versions, pinned: the text of a requirements.txt.

Read from the installed packages; no index is queried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import msgspec

NAME = "wave-scheduler"
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]*)['"]""")
_HEADER = """\
# The scheduler and its dependencies, at the versions with which this repository was created.
# The workflows install exactly this; Dependabot proposes newer ones.
"""


class Pinned(msgspec.Struct, frozen=True):
    """The text, and a remark for the user."""

    text: str
    remark: str | None = None


def pin() -> Pinned:
    """The scheduler and all its dependencies, at the versions installed here."""
    ours = distribution(NAME)
    origin, remark = _origin(ours)
    needed = sorted(f"{_normal(one.metadata['Name'])}=={one.version}" for one in _needed(ours))
    return Pinned(_HEADER + "\n".join([origin, *needed]) + "\n", remark)


def _origin(ours: Distribution) -> tuple[str, str | None]:
    """Where the scheduler was installed from: an index, a commit, or a path that only this machine has."""
    origin = json.loads(ours.read_text("direct_url.json") or "null")
    by_name = f"{NAME}=={ours.version}"
    if origin is None:
        return by_name, None
    url, commit = str(origin.get("url")), origin.get("vcs_info", {}).get("commit_id")
    if re.fullmatch(r"https://[A-Za-z0-9.-]+/[A-Za-z0-9._/~+-]+", url):
        if commit is not None:
            return f"{NAME} @ {origin['vcs_info']['vcs']}+{url}@{commit}", None
        digest = origin.get("archive_info", {}).get("hashes", {}).get("sha256")
        return f"{NAME} @ {url}" + (f"#sha256={digest}" if digest else ""), None
    return by_name, (
        "the scheduler was installed from a path on this machine, so requirements.txt names "
        f"{by_name}: if GitHub cannot install that, replace it by "
        f"`{NAME} @ git+https://github.com/OWNER/REPOSITORY@COMMIT`"
    )


def _needed(ours: Distribution) -> Iterator[Distribution]:
    """The dependencies of a distribution and theirs, as far as they are installed here; each once."""
    seen = {_normal(NAME)}
    waiting = [(ours, frozenset[str]())]
    while waiting:
        one, extras = waiting.pop()
        for line in one.requires or ():
            match = _REQUIREMENT.match(line)
            assert match is not None, "a requirement begins with a name"
            name, wanted, marker = match.groups()
            asked = _EXTRA.search(marker or "")
            if asked is not None and asked[1] not in extras:
                continue
            if _normal(name) in seen:
                continue
            try:
                found = distribution(name)
            except PackageNotFoundError:  # not needed on this system
                continue
            seen.add(_normal(name))
            waiting.append((found, frozenset(filter(None, re.split(r"[,\s]+", wanted or "")))))
            yield found


def _normal(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()
