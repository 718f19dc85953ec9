"""How punctual a proposal can be: how late the last publications were, against what its waves can
tolerate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scheduler.planning.plan import APP_TOKEN_LIFE
from scheduler.reporting.pull_request.escaping import code, that_fit
from scheduler.reporting.review import Need, Review, Sample
from scheduler.times import duration_text
from scheduler.wording import and_more, count

_HEADER = (
    "| | lead | catch_up | on time if it leaves within | missed if later than | with the last delays |\n"
    "|-|-|-|-|-|-|"
)


def punctuality(review: Review, room: int) -> tuple[str, list[str]]:
    """The part of the comment; empty where the proposal changes no time."""
    if not review.needs:
        return "", []
    text = f"#### How punctual this can be\n\n{' '.join(_history(review))}"
    lines = [_line(name, review.needs[name], review.sample) for name in sorted(review.needs)]
    kept = that_fit(lines, room - len(text.encode()) - len(_HEADER) - 4)
    rest = len(lines) - len(kept)
    left_out = [f"{rest:,} of the waves and channels under punctuality"] if rest else []
    return "\n\n".join([text, "\n".join([_HEADER, *kept])] if kept else [text]), left_out


def _history(review: Review) -> Iterator[str]:
    sample, hold = review.sample, review.hold
    missed = f"{sample.missed or 'none'} {'was' if sample.missed == 1 else 'were'} missed"
    if sample.late:
        middle, most = (duration_text(sample.share_within(share)) for share in (0.5, 0.95))
        yield (
            f"Of the last {count(len(sample.late) + sample.missed, 'publication')}, half left within "
            f"{middle} of their due time, 95 % within {most}, the latest after "
            f"{duration_text(sample.late[-1])}; {missed}."
        )
    else:
        yield "Nothing has been sent yet, so nothing is known about delays."
        if sample.missed:
            yield f"Of the last publications {missed}."
        yield "GitHub's cron alone can be hours late; see <code>docs/punctuality.md</code> for better ways."
    if hold:
        within = f"within {duration_text(hold)} (the hold)"
        yield f"A run that finds something due {within} waits for it and sends it to the second."
    life = duration_text(APP_TOKEN_LIFE)
    fate = "and what falls due later is left to the next run. Set <code>SCHEDULER_HOLD</code> to 55m or less."
    if review.outlived:
        yield f"**The hold outlives {_names(review.outlived)}**: an App's token lives for {life}, {fate}"
    if review.perhaps_outlived:
        names = _names(review.perhaps_outlived)
        yield f"**The hold may outlive {names}**: a GitHub App's token lives for {life}, {fate}"


def _names(tokens: Sequence[str]) -> str:
    return and_more([code(name) for name in tokens], 3, "token")


def _line(name: str, need: Need, sample: Sample) -> str:
    late = sample.later_than(need.lead) - sample.later_than(need.lost)
    lost = sample.later_than(need.lost) + sample.missed
    on_time = duration_text(need.lead) if need.lead else "the second"
    if need.spread:
        on_time += f"; <code>pace</code> alone takes {duration_text(need.spread)}"
    cells = (
        code(name), duration_text(need.lead), duration_text(need.catch_up), on_time, duration_text(need.lost),
        f"{late} late, {lost} missed" if sample.late else "",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"
