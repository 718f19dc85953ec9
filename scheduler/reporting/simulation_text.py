"""The result of a simulation: a table and the settings that would have been enough, or a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from scheduler.reporting.json_output import document_json, fault_document
from scheduler.reporting.terminal import Paint, pad, visible, width
from scheduler.reporting.time_format import moment
from scheduler.simulation.conditions import Conditions
from scheduler.simulation.enough import Enough
from scheduler.simulation.study import Figures, Study
from scheduler.times import duration_text, instant_text
from scheduler.wording import count, more

_HEADER = ("", "sent", "on time", "missed", "failed", "held", "median", "95 %", "worst", "lead", "catch_up")
_SHOWN = 20
"""Publications that were not sent and are shown one by one; the document has all."""
_LONGEST_JOB = 6 * 3600
"""Seconds that a job on a GitHub-hosted runner may run."""


def simulation_text(study: Study, *, colour: bool = False) -> str:
    """What was simulated, a line for each wave and channel, what was not sent, and what would be enough."""
    paint = Paint(colour)
    lines = [*_given(study), ""]
    if not study.publications:
        return "\n".join([*lines, "Nothing is published in this period."])
    lines += _table(study.figures, paint)
    lines += [
        "",
        "Lateness counts from the publish time. On time means sent by then, at the latest.",
    ]
    if study.put_off:
        lines.append(
            f"{count(study.put_off, 'late publication')} waited for another of the same channel (`min_gap`)."
        )
    if study.troubles:
        lines += ["", "Not sent:", *_troubles(study, paint)]
    return "\n".join([*lines, "", *_enough(study)])


def _given(study: Study) -> Iterator[str]:
    stage, given = study.stage, study.conditions
    yield (
        f"{count(study.runs, 'run')} with {count(study.publications, 'publication')} "
        f"from {moment(stage.start)} to {moment(stage.end)} (seed {given.seed})"
    )
    late = "on time" if given.late.most == 0 else f"{given.late.text} late"
    ran = study.wanted - study.dropped
    yield (
        f"a tick every {given.every.text}, {late}: {ran:,} of {study.wanted:,} ran, "
        f"at most {duration_text(study.gap)} apart"
    )
    others = [*_settings(given), *_faults(given)]
    if others:
        yield ", ".join(others)


def _settings(given: Conditions) -> Iterator[str]:
    if given.hold:
        yield f"hold {duration_text(given.hold)}"
    if given.lead is not None:
        yield f"lead {duration_text(given.lead)}"
    if given.catch_up is not None:
        yield f"catch_up {duration_text(given.catch_up)}"
    if given.pace is not None:
        yield f"pace {given.pace.count} in {duration_text(given.pace.seconds)}"


def _faults(given: Conditions) -> Iterator[str]:
    shares = ((given.refuse, "refused"), (given.limit, "limited"), (given.unknown, "unanswered"))
    parts = [f"{share * 100:.3g} % {what}" for share, what in shares if share]
    if parts:
        yield f"requests {', '.join(parts)}"


def _table(figures: Sequence[Figures], paint: Paint) -> Iterator[str]:
    """Names aligned left, figures right."""
    rows = [_HEADER, *map(_cells, figures)]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        figures_right = (" " * (w - width(c)) + c for c, w in zip(row[1:], widths[1:], strict=True))
        cells = [pad(row[0], widths[0]), *figures_right]
        if number == 0:
            yield paint("bold", "  ".join(cells).rstrip())
            continue
        if figures[number - 1].missed:
            cells[3] = paint("red", cells[3])
        yield "  ".join(cells).rstrip()


def _cells(figures: Figures) -> tuple[str, ...]:
    return (
        visible(f"{figures.kind} {figures.id}"),
        *(f"{number:,}" for number in (figures.sent, figures.on_time, figures.missed)),
        *(f"{number:,}" for number in (figures.failed, figures.held)),
        *map(_duration, (figures.median, figures.most, figures.worst, figures.lead, figures.catch_up)),
    )


def _duration(seconds: int | None) -> str:
    return "-" if seconds is None else duration_text(seconds)


def _troubles(study: Study, paint: Paint) -> Iterator[str]:
    shown = study.troubles[:_SHOWN]
    widest = max(width(visible(trouble.schedule_id)) for trouble in shown)
    for trouble in shown:
        name = pad(visible(trouble.schedule_id), widest)
        where = f"{trouble.kind} in {trouble.runs} of {count(study.runs, 'run')}"
        yield f"  {name}  {paint('red', where)}: {visible(trouble.why)}"
    if len(study.troubles) > _SHOWN:
        yield f"  {more(len(study.troubles) - _SHOWN)}"


def _enough(study: Study) -> Iterator[str]:
    least = study.missing_nothing
    settings = [_setting("catch_up", least.catch_up), *_lead_and_hold(least)]
    yield f"To miss nothing, any one of these is enough: {', '.join(settings)}."
    settings = list(_lead_and_hold(study.in_time))
    yield f"To be on time, any one of these is enough: {', '.join(settings)}."


def _lead_and_hold(enough: Enough) -> Iterator[str]:
    yield _setting("lead", enough.lead)
    is_too_long = enough.hold is not None and enough.hold >= _LONGEST_JOB
    yield _setting("hold", enough.hold) + (" (a hosted job ends after 6h)" if is_too_long else "")


def _setting(name: str, seconds: int | None) -> str:
    return f"no {name} that was tried" if seconds is None else f"{name} {duration_text(seconds)}"


# --- for programs -----------------------------------------------------------------------------------


def simulation_json(study: Study) -> bytes:
    """The document of `simulate`: durations in seconds, shares from 0 to 1. It ends without a line break."""
    stage = study.stage
    return document_json(**{
        "from": instant_text(stage.start),
        "to": instant_text(stage.end),
        "runs": study.runs,
        "publications": study.publications,
        "conditions": msgspec.to_builtins(study.conditions),
        "ticks": {"wanted": study.wanted, "dropped": study.dropped, "longest_gap_seconds": study.gap},
        "put_off": study.put_off,
        "waves": [_figures(each) for each in study.figures if each.kind == "wave"],
        "channels": [_figures(each) for each in study.figures if each.kind == "channel"],
        "not_sent": [
            {"schedule_id": each.schedule_id, "outcome": each.kind, "why": each.why, "runs": each.runs}
            for each in study.troubles
        ],
        "enough": {
            "to_miss_nothing": {
                "catch_up_seconds": study.missing_nothing.catch_up,
                "lead_seconds": study.missing_nothing.lead,
                "hold_seconds": study.missing_nothing.hold,
            },
            "to_be_in_time": {
                "lead_seconds": study.in_time.lead,
                "hold_seconds": study.in_time.hold,
            },
        },
        "diagnostics": list(map(fault_document, study.diagnostics)),
    })  # fmt: skip


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "id": figures.id,
        "sent": figures.sent,
        "on_time": figures.on_time,
        "missed": figures.missed,
        "failed": figures.failed,
        "held": figures.held,
        "lateness_seconds": {"median": figures.median, "p95": figures.most, "worst": figures.worst},
        "lead_seconds": figures.lead,
        "catch_up_seconds": figures.catch_up,
    }
