"""Where docs/rules.md of the installed scheduler can be read. From its metadata: no network is used."""

from __future__ import annotations

import re

_REPOSITORY = re.compile(r"(https://github\.com/[A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?")


def rules_page() -> str | None:
    """The page on GitHub, at the commit that was installed where that is known. None without an address:
    neither installed from a repository on GitHub, nor does `[project.urls]` name one."""
    import json
    from importlib.metadata import distribution  # costs more than most commands do; only SARIF needs it

    ours = distribution("wave-scheduler")
    origin = json.loads(ours.read_text("direct_url.json") or "{}")
    known = [(str(origin.get("url")), origin.get("vcs_info", {}).get("commit_id"))]
    known += [(line.partition(", ")[2], None) for line in ours.metadata.get_all("Project-URL") or ()]
    for address, commit in known:
        if match := _REPOSITORY.fullmatch(address):
            return f"{match[1]}/blob/{commit or 'HEAD'}/docs/rules.md"
    return None
