"""What is installed here, pinned, for whoever shall have the same: the text of a requirements.txt.

Read from the installed packages themselves; nothing is asked of an index.
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
# The scheduler and what it needs, at the versions with which this repository was made.
# The workflows install exactly this; Dependabot proposes newer ones.
"""


class Pinned(msgspec.Struct, frozen=True):
    """The text, and what to tell whoever asked for it."""

    text: str
    remark: str | None = None


def pin() -> Pinned:
    """The scheduler and everything that it needs, at the versions installed here."""
    ours = distribution(NAME)
    origin, remark = _origin(ours)
    needed = sorted(f"{_normal(one.metadata['Name'])}=={one.version}" for one in _needed(ours))
    return Pinned(_HEADER + "\n".join([origin, *needed]) + "\n", remark)


def _origin(ours: Distribution) -> tuple[str, str | None]:
    """Where the scheduler comes from: an index, a commit, or something that only this machine has."""
    told = json.loads(ours.read_text("direct_url.json") or "null")
    by_name = f"{NAME}=={ours.version}"
    if told is None:
        return by_name, None
    url, commit = str(told.get("url")), told.get("vcs_info", {}).get("commit_id")
    if re.fullmatch(r"https://[A-Za-z0-9.-]+/[A-Za-z0-9._/~+-]+", url):
        if commit is not None:
            return f"{NAME} @ {told['vcs_info']['vcs']}+{url}@{commit}", None
        digest = told.get("archive_info", {}).get("hashes", {}).get("sha256")
        return f"{NAME} @ {url}" + (f"#sha256={digest}" if digest else ""), None
    return by_name, (
        "the scheduler was installed from a place of this machine's own, and requirements.txt says "
        f"{by_name}: where GitHub cannot install that, put in its place "
        f"`{NAME} @ git+https://github.com/OWNER/REPOSITORY@COMMIT`"
    )


def _needed(ours: Distribution) -> Iterator[Distribution]:
    """What a distribution needs, with what that needs, as far as it is installed here; each once."""
    seen = {_normal(NAME)}
    waiting = [(ours, frozenset[str]())]
    while waiting:
        one, extras = waiting.pop()
        for line in one.requires or ():
            match = _REQUIREMENT.match(line)
            assert match is not None, "the metadata of an installed package begins with a name"
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
