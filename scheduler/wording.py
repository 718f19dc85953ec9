"""What sentences are put together from: quoted texts, lists, counts, suggestions. Pure, for every wing.

Whole parts go in and whole parts come out: nobody cuts letters off a sentence to make another of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def quoted(text: str) -> str:
    """A text as messages show it: in quotes, controls escaped, cut where nobody would read on."""
    return repr(text) if len(text) <= 80 else f"{text[:60]!r}... ({len(text)} characters)"


def count(number: int, noun: str) -> str:
    """`1 schedule`, `2 schedules`, `1,200 schedules`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def and_more(words: Sequence[str], most: int, noun: str = "", *, total: int | None = None) -> str:
    """The first `most` words, and how many more there are: `a, b and 38 more channels`.

    `total` is how many there are in all, where `words` are only the first of them.
    """
    rest = (len(words) if total is None else total) - most
    if rest <= 0:
        return ", ".join(words)
    return f"{', '.join(words[:most])} {more(rest, noun)}"


def more(rest: int, noun: str = "") -> str:
    """`and 38 more channels`, `and 1,200 more`: the end of a list, or a line of its own below one."""
    return f"and {rest:,} more" if not noun else f"and {rest:,} more {noun if rest == 1 else f'{noun}s'}"


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The one of the known words that somebody who wrote `word` probably meant; case does not count."""
    import difflib  # costs more than what most commands do, and most of what is written is right

    folded = {name.casefold(): name for name in reversed([*known])}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the likeliest of the known words, if one is likely."""
    meant = closest(word, known)
    return None if meant is None else f"did you mean {meant}?"
