"""Texts that must never be printed, though somebody wrote them into a file."""

from __future__ import annotations

import re
from typing import Final

# A GitHub token (its prefixes, or 40 hexadecimal digits), an AWS key, a private key, a JSON web token.
SECRET: Final = re.compile(
    r"(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-)[A-Za-z0-9_-]{10,}|AKIA[0-9A-Z]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{10,}"
)
_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s:]*+:[^/@\s]*+@")
LOOKS_LIKE_ONE: Final = "contains what looks like a secret"
MIGHT_BE_ONE: Final = "(not shown here: it might be a secret)"


def without_secrets(text: str) -> str:
    """A text with what looks like a token, and the user part of URLs, taken out."""
    return _PASSWORD.sub("(not shown)@", SECRET.sub("(a secret, not shown)", text))


def is_hidden(message: str, line: str) -> bool:
    """Whether the line that a message is about must not be shown."""
    return LOOKS_LIKE_ONE in message or MIGHT_BE_ONE in message or without_secrets(line) != line
