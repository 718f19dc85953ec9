"""What protects a run from files that are absent, unknown or torn, switched off: `simulation/storage.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest import mock

from sealed import changed

from scheduler.checkout import reading
from scheduler.errors import StateError
from scheduler.state import codec
from scheduler.state.record import State
from scheduler.state.stores import file

from .storage import NEWER


@contextmanager
def take_a_lost_archive_for_an_empty_one() -> Iterator[None]:
    """A month that is missing, or another one, was never there."""
    with mock.patch.object(file, "not_as_listed", lambda listed, found: None):
        yield


@contextmanager
def drop_what_a_newer_program_wrote() -> Iterator[None]:
    """What this version does not know is left out."""
    plain = codec.decode

    def decode(text: bytes, name: str, *, is_whole: bool = False) -> State:
        try:
            return plain(text, name, is_whole=is_whole)
        except StateError:
            known = next(each for each in NEWER if each[1] in text)
            return plain(changed(text, known[::-1]), name)

    with mock.patch.object(codec, "decode", decode):
        yield


@contextmanager
def read_what_git_is_replacing() -> Iterator[None]:
    """A file that is not there was removed by somebody."""
    with mock.patch.object(reading, "git_mark", lambda top: (0, 0)):
        yield


STORAGE_MUTANTS: tuple[Callable[[], AbstractContextManager[None]], ...] = (
    take_a_lost_archive_for_an_empty_one,
    drop_what_a_newer_program_wrote,
    read_what_git_is_replacing,
)
