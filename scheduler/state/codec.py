"""Text to state and back: one record a line, sealed by a checksum, and what is wrong with a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from scheduler.errors import StateError
from scheduler.state import header
from scheduler.state.header import VERSION
from scheduler.state.record import Record, State
from scheduler.times import read_later, read_utc

# --- text <-> State -------------------------------------------------------------------------------


class _StateText(State, kw_only=True, forbid_unknown_fields=True):
    """A state as text: here the schedules are not optional."""

    schedules: dict[str, Record]
    checksum: str | None = None


class _ArchiveText(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An archived month as text."""

    version: int
    lineage: str
    schedules: dict[str, Record]
    follows: str | None = None
    checksum: str | None = None


class _Versioned(msgspec.Struct):
    """What a text of any version has."""

    version: msgspec.Raw = msgspec.Raw(b"null")


class _Loose(msgspec.Struct):
    """The outline of any such text, to find out what is wrong with it."""

    schedules: dict[str, msgspec.Raw] = {}


_state_decoder = msgspec.json.Decoder(_StateText)
_archive_decoder = msgspec.json.Decoder(_ArchiveText)
_encoder = msgspec.json.Encoder(order="sorted")
_CHUNK = 1_000  # records encoded at once: few calls, and pieces that fit the processor's cache
_UPGRADE = "upgrade the scheduler, or run the version that wrote it"
_RESTORE = "restore the last good version from git history"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_WAVE_ID = re.compile(rf"(?P<group>(?P<wave>{_NAME})/{_NAME})/(?P<channel>{_NAME})")
_INDEPENDENT_ID = re.compile(rf"(?P<channel>{_NAME})/(?P<at>[^/]+Z)")
_TIMES = tuple(name for name in Record.__struct_fields__ if name.endswith("_at"))
_COUNTS = ("attempts", "earlier_attempts", "position", "resends", "retractions", "token_refusals")
_NUMBERED = re.compile(rb'\s*\{\s*"version":\s*([0-9]{1,9})\s*,')
_LARGEST = 2**53 - 1  # larger numbers are not the same in every reader of JSON
L = TypeVar("L", _StateText, _ArchiveText)


def encode(state: State) -> bytes:
    """The text of a state: top-level facts on the first line, then one schedule a line, by id."""
    return b"".join(encode_parts(state))


def encode_parts(state: State) -> list[bytes]:
    """The text of a state in parts, for a writer that has no need of it in one piece."""
    facts = msgspec.to_builtins(msgspec.structs.replace(state, schedules={}))
    del facts["schedules"]
    return _sealed(facts, state.schedules)


def taken_over(state: State) -> State:
    """The state of an older version, as this version stores it.

    Raises StateError if what would be written does not read as the same state: then the old text stays.
    """
    after = msgspec.structs.replace(state, version=VERSION)
    name = f"the state in the form of version {VERSION}"
    if decode(encode(after), name) != after:
        raise StateError(
            f"the state cannot be taken over from version {state.version} without a loss",
            hint="report this; until then, run the version that wrote it",
        )
    return after


def encode_archive(lineage: str, schedules: Mapping[str, Record], follows: str | None = None) -> bytes:
    """The text of an archived month, in the form of a state without a serial.

    `follows`: the fingerprint of the text that it replaces, where the state may still name that one.
    """
    facts = {"version": VERSION, "lineage": lineage} | ({"follows": follows} if follows else {})
    return b"".join(_sealed(facts, schedules))


def _sealed(facts: Mapping[str, Any], schedules: Mapping[str, Record]) -> list[bytes]:
    lines = _record_lines(schedules)
    members = [b'"%s": %s' % (key.encode(), _encoder.encode(value)) for key, value in facts.items()]
    return [header.seal(b", ".join(members), header.body_digest(lines)), *lines]


def _record_lines(schedules: Mapping[str, Record]) -> list[bytes]:
    """All that follows the first line, in parts of many lines.

    Ids and records are encoded apart, one a line each, and then threaded together: one call of the
    encoder a record would take twice as long. JSON text holds no line end and no NUL of its own.
    """
    ids = sorted(schedules)
    parts = []
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        beads = [b""] * (2 * len(some))
        beads[::2] = _encoder.encode_lines(some).replace(b"\n", b":\0,\n").split(b"\0")[:-1]
        beads[1::2] = _encoder.encode_lines([schedules[key] for key in some]).split(b"\n")[:-1]
        parts.append((b",\n" if start else b"") + b"".join(beads))
    return [*parts, b"\n}}\n" if parts else b"}}\n"]


def decode(text: bytes, name: str, *, trust_checksum: bool = True, is_whole: bool = False) -> State:
    """The state that `text` says; `name` is what the messages call it.

    A text whose checksum holds is as `encode` wrote it, and is only decoded. Any other was edited by hand,
    which is allowed, and takes the slow way: each key once, and every record checked for sense. The fast
    way takes a fifth of the time; `trust_checksum=False` takes the slow one for every text, with which
    `tests/state/test_state.py` holds the two equal. `is_whole`: the caller has verified the checksum.

    Raises StateError for what makes no sense: a truncated or merged file, an unknown version, duplicate
    keys, NaN, an invalid record; and for what a newer program wrote.
    """
    read = _read(text, name, _state_decoder, trust_checksum, is_whole=is_whole)
    if not 0 <= read.serial <= _LARGEST:
        raise _damaged(name, f"invalid serial {read.serial}")
    return State(**{field: getattr(read, field) for field in State.__struct_fields__})


def decode_archive(text: bytes, name: str) -> tuple[str, dict[str, Record], str | None]:
    """The lineage and the records of an archived month, and which text it follows.

    Raises StateError as `decode` does.
    """
    read = _read(text, name, _archive_decoder, trust_checksum=True)
    return read.lineage, read.schedules, read.follows


def _read(
    text: bytes,
    name: str,
    decoder: msgspec.json.Decoder[L],
    trust_checksum: bool,
    *,
    is_whole: bool = False,
) -> L:
    try:
        read = decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise _explain(text, name, problem) from None
    if not 1 <= read.version <= VERSION:
        raise _unknown_version(name, str(read.version))
    if not text.endswith(b"\n") and header.checksum_holds(text + b"\n"):
        raise _damaged(name, "it is truncated: the final line break is missing")
    if not (trust_checksum and (is_whole or header.checksum_holds(text))):
        _demand_each_key_once(text, name)
        _demand_sense(read.lineage, read.schedules, name)
    if read.version == 1:
        for record in read.schedules.values():
            _count_from_publish_time(record)
    return read


def _count_from_publish_time(record: Record) -> None:
    """Version 1 counted one lateness, from when a publication was due. With a lead that was hours before its
    publish time; a release by `after_success` is never later than what was counted."""
    if record.lateness_seconds is not None and record.executed_at is not None:
        record.dispatch_lateness_seconds = record.lateness_seconds
        since = read_utc(record.executed_at) - record.at
        record.lateness_seconds = max(0, min(record.lateness_seconds, since))


def _damaged(name: str, problem: str) -> StateError:
    return StateError(f"{name} is damaged: {problem}", hint=_RESTORE)


def _unknown_version(name: str, version: str) -> StateError:
    if version.isdecimal() and int(version) > VERSION:
        return _newer(name, f"it has version {version}")
    return StateError(
        f"{name} has version {version}; this program reads versions 1 to {VERSION}", hint=_UPGRADE
    )


def _newer(name: str, what: str) -> StateError:
    """What a newer program wrote is intact: going back to an older state would forget what was sent."""
    return StateError(f"{name} was written by a newer version of this program: {what}", hint=_UPGRADE)


def _explain(text: bytes, name: str, problem: Exception) -> StateError:
    """The most helpful of the errors that fit an unreadable text."""
    if not text.strip():
        return StateError(f"{name} is empty", hint=_RESTORE)
    if text.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or text[:4].count(0):
        return StateError(
            f"{name} is not plain UTF-8: it begins with a byte order mark, or is UTF-16 or UTF-32",
            hint="save it as UTF-8 without a byte order mark",
        )
    if re.search(rb"(?m)^(<<<<<<<|=======|>>>>>>>)", text):
        return StateError(
            f"{name} contains a merge conflict marker",
            hint="never merge two states: restore one of them from git history",
        )
    if isinstance(problem, RecursionError):
        return _damaged(name, "it is nested too deeply")
    if isinstance(problem, UnicodeDecodeError):
        return _damaged(name, "it is not valid UTF-8")
    return _explain_content(text, name, problem)


def _explain_content(text: bytes, name: str, problem: Exception) -> StateError:
    """The error that fits a text which is no JSON, or JSON that is no state."""
    try:
        version = bytes(msgspec.json.decode(text, type=_Versioned).version)
    except msgspec.ValidationError:
        return _damaged(name, _in_words(problem))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        if (found := _NUMBERED.match(text)) and int(found[1]) > VERSION:  # it may have another outline
            return _unknown_version(name, found[1].decode())
        if not text.rstrip().endswith(b"}}"):
            return _damaged(name, f"it is truncated, or has text after its end ({_in_words(problem, text)})")
        return _damaged(name, _in_words(problem, text))
    if version not in (b"null", *(str(known).encode() for known in range(1, VERSION + 1))):
        return _unknown_version(name, version[:20].decode(errors="replace"))
    # Whoever sealed it knew what it wrote: a text that its own checksum calls whole is not damaged.
    is_newer = header.checksum_holds(text)
    try:
        records = msgspec.json.decode(text, type=_Loose).schedules
    except msgspec.ValidationError:
        records = {}
    for schedule_id, record in records.items():
        try:
            msgspec.json.decode(record, type=Record)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as fault:
            words = f"record {schedule_id!r}: {_in_words(fault)}"
            return _newer(name, words) if is_newer else _damaged(name, f"invalid {words}")
    return (_newer if is_newer else _damaged)(name, _in_words(problem))


def _in_words(problem: Exception, text: bytes | None = None) -> str:
    """A decoder's complaint with a line and column where it gives a byte, and no `$` paths."""
    words = str(problem).replace("`$[...]", "`").replace("`$.", "`").replace(" - at `$`", "")
    found = re.search(r" \(byte (\d+)\)$", words)
    if found is None or text is None:
        return words
    before = text[: int(found[1])]
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return f"{words[: found.start()]}, line {line}, column {column}"


def _demand_each_key_once(text: bytes, name: str) -> None:
    """Refuse duplicate keys, which a decoder would settle silently by taking the last one."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise _damaged(name, f"duplicate key {twice!r}")
        return members

    try:
        json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as problem:
        raise _damaged(name, f"{problem}") from None


def _demand_sense(lineage: str, schedules: Mapping[str, Record], name: str) -> None:
    """Refuse what has the right types but cannot be meant."""
    if not lineage or len(lineage) > 200 or not lineage.isprintable():
        raise _damaged(name, f"invalid lineage {lineage[:200]!r}")
    for schedule_id, record in schedules.items():
        problem = _nonsense(schedule_id, record)
        if problem is not None:
            raise _damaged(name, f"the record {schedule_id!r} {problem}")


def _nonsense(schedule_id: str, record: Record) -> str | None:
    """Why a record cannot be meant, in words that follow its id; None where it can."""
    if not _names(schedule_id, record):
        return "has an id that does not match its fields"
    for moment in _moments(record):
        try:
            read_utc(moment)
        except ValueError:
            return f"has an invalid time {moment!r}"
    if record.local_time is not None and not _is_local(record, record.local_time):
        return f"has an invalid local_time {record.local_time!r}"
    for field in _COUNTS:
        if not 0 <= getattr(record, field) <= _LARGEST:
            return f"has an invalid value for {field}: {getattr(record, field)}"
    if record.lease is not None and not 1 <= record.lease.attempts <= _LARGEST:
        return f"has an invalid value for attempts in its claim: {record.lease.attempts}"
    needed = record.traits.needs
    if needed is not None and getattr(record, needed) is None:
        return f"is {record.status} but has no {needed}"
    return None


def _is_local(record: Record, text: str) -> bool:
    """Whether it is a local time; only what belongs to a group is some time after one."""
    try:
        _, elapsed = read_later(text)
    except ValueError:
        return False
    return not elapsed or record.wave_id is not None


def _names(schedule_id: str, record: Record) -> bool:
    """Whether the id is one that this record can have: ids are derived from what they name."""
    if record.schedule_type == "independent":
        found = _INDEPENDENT_ID.fullmatch(schedule_id)
        try:
            return found is not None and found["channel"] == record.channel_id and read_utc(found["at"]) >= 0
        except ValueError:
            return False
    found = _WAVE_ID.fullmatch(schedule_id)
    return found is not None and (found["wave"], found["group"], found["channel"]) == (
        record.wave_id,
        record.coordination_group_id,
        record.channel_id,
    )


def _moments(record: Record) -> Iterator[str]:
    for field in _TIMES:
        moment = getattr(record, field)
        if moment is not None:
            yield moment
    yield from (pause.until for pause in record.pauses if pause.until is not None)
    yield from (event.at for event in record.history)
    if record.intent is not None:
        yield record.intent.at
        yield record.intent.not_after
    if (retraction := record.retraction) is not None:
        moments = (retraction.at, retraction.accepted_at, retraction.checked_at, retraction.next_attempt_at)
        yield from (moment for moment in moments if moment is not None)
    if record.lease is not None:
        yield record.lease.at
        yield record.lease.until
