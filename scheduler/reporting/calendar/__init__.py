"""The published calendar: a page for people, a feed for calendar programs, a document for programs. Pure.

`gather` collects what is in it; `page`, `feed` and `document` render it. The same input gives the same bytes:
nothing in them is random, and the only time that changes is the `now` they were made for.
"""

from __future__ import annotations

from scheduler.reporting.calendar.entries import Calendar, gather

__all__ = ["MARK", "NAMES", "Calendar", "files", "gather"]

NAMES = ("calendar.ics", "schedules.json", "index.html")
"""The files, in the order in which they are written: the page, which links to the others, comes last."""
MARK = b"wave-scheduler calendar"
"""Is near the beginning of each file, so that a file that this command did not make is never overwritten."""


def files(calendar: Calendar) -> dict[str, bytes]:
    """The content of each file, by its name."""
    from scheduler.reporting.calendar.document import calendar_json
    from scheduler.reporting.calendar.feed import feed_text
    from scheduler.reporting.calendar.page import page_html

    contents = (feed_text(calendar), calendar_json(calendar), page_html(calendar))
    return dict(zip(NAMES, contents, strict=True))
