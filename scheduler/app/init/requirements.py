"""What a new repository installs: the locked dependencies with their hashes, then the scheduler alone.

Read from this package, its installed metadata and the clone it came from; no index is queried.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from scheduler.checkout.git import LOCAL, Git
from scheduler.errors import StateError

NAME = "wave-scheduler"
_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+/[A-Za-z0-9._/~+-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SSH = re.compile(r"(?:ssh://)?git@([A-Za-z0-9.-]+)[:/](.+)")
DEPENDENCIES = """\
# What the scheduler needs, as it was tested: installed by these hashes, and nothing else.
# requirements-scheduler.txt is the scheduler itself. Dependabot proposes newer versions.
"""
OWN = """\
# The scheduler itself, installed without dependencies: they are in requirements.txt, with hashes.
"""
UNKNOWN = """\
# Where it was installed from is not known, so the line below installs nothing. Replace it, by
#   {name} @ git+https://github.com/OWNER/REPOSITORY@COMMIT    (the full commit), or
#   {name}=={version} --hash=sha256:HASH    (from an index; `pip hash FILE` prints the hash of its wheel)
{name} @ git+https://replace-this-line.invalid/OWNER/REPOSITORY@COMMIT
"""


class Pinned(msgspec.Struct, frozen=True):
    """The texts of requirements.txt and requirements-scheduler.txt, and a remark for the user."""

    dependencies: str
    own: str
    remark: str | None = None


def pin() -> Pinned:
    """The dependencies as locked, and the scheduler by the address that it was installed from."""
    ours = distribution(NAME)
    locked = (Path(__file__).parent / "files" / "requirements.txt").read_text(encoding="utf-8")
    line = own_line(ours)
    if line is not None:
        return Pinned(DEPENDENCIES + locked, f"{OWN}{line}\n")
    remark = "requirements-scheduler.txt does not say yet where to install the scheduler from: edit it"
    return Pinned(DEPENDENCIES + locked, OWN + UNKNOWN.format(name=NAME, version=ours.version), remark)


def own_line(ours: Distribution) -> str | None:
    """The requirement that installs exactly this program elsewhere; None where nothing says which."""
    origin = json.loads(ours.read_text("direct_url.json") or "{}")
    url, commit = str(origin.get("url")), origin.get("vcs_info", {}).get("commit_id")
    if url.startswith("file://") and "dir_info" in origin:
        url, commit = _clone(Path(unquote(urlsplit(url).path)))
    if not _ADDRESS.fullmatch(url):
        return None
    if commit is not None:
        return f"{NAME} @ git+{url}@{commit}" if _COMMIT.fullmatch(commit) else None
    digest = origin.get("archive_info", {}).get("hashes", {}).get("sha256")
    return f"{NAME} @ {url}#sha256={digest}" if digest else None


def _clone(folder: Path) -> tuple[str, str | None]:
    """The address and the commit of a clone; "" where its remote does not have the commit."""
    git = Git(folder, LOCAL)
    try:
        commit = git.ask("rev-parse", "--verify", "--quiet", "HEAD")
        url = git.ask("config", "--get", "remote.origin.url")
        if commit is None or url is None or not git.line("branch", "--remotes", "--contains", commit):
            return "", None
    except StateError:
        return "", None
    ssh = _SSH.fullmatch(url)
    return (f"https://{ssh[1]}/{ssh[2]}" if ssh else url), commit
