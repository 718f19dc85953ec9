"""Short ways to say what a test declares, where its exact lines don't matter."""

from __future__ import annotations

import re


def entry(video: str, at: str, *channels: str, kind: str = "simultaneous", **keys: str) -> str:
    """One entry of a wave; `keys` are further lines of it, such as `delay="1h"`."""
    lines = [f"  - type: {kind}", f"video: {video}", f"at: {at}", f"channels: [{', '.join(channels)}]"]
    lines += [f"{key}: {value}" for key, value in keys.items()]
    return "\n    ".join(lines) + "\n"


def wave(*entries: str, **keys: str) -> str:
    """A wave file; `keys` are lines about the whole wave."""
    return "".join(f"{key}: {value}\n" for key, value in keys.items()) + "schedules:\n" + "".join(entries)


def one(video: str, at: str, *channels: str, **keys: str) -> str:
    """A wave of one simultaneous entry: `video` on line 3, `at` at 4:9, the first channel at 5:16."""
    return wave(entry(video, at, *channels, **keys))


def stagger(video: str, at: str, delay: str, *channels: str, **keys: str) -> str:
    """A wave of one staggered entry; its channels may be mappings."""
    return wave(entry(video, at, *channels, kind="staggered", delay=delay, **keys))


def with_a_queue(text: str) -> str:
    """A channel's file, with a queue in its last line where it names nothing that publishes."""
    if not re.search(r"^\w+:", text, re.M) or re.search(r"^(repos\w*|queue|command):", text, re.M):
        return text
    return text.rstrip("\n") + "\nqueue: q\n"
