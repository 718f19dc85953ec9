"""What a channel receives: the key that names a publication, the payload of ten keys, and their limits.

The limits are GitHub's: an event type of 1 to 100 characters, a client payload of at most 10 top-level
keys and 65,535 characters (https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from scheduler import desired
from scheduler.desired.transports import TRANSPORTS, transport_of
from scheduler.state.record import Intent, Record, advance, note
from scheduler.times import Instant, instant_text

PAYLOAD_LIMIT = 65_535
"""Characters of a client payload that GitHub accepts."""


def key_of(lineage: str, first_id: str, resends: int) -> str:
    """The name of a publication for its receiver: the same for every attempt, whatever was edited.

    Lower case, since GitHub's concurrency groups ignore case.
    """
    digest = hashlib.sha256("\0".join((lineage, first_id, str(resends))).encode()).digest()
    return "gs1-" + base64.b32encode(digest).decode().lower()[:26]


def payload_of(schedule_id: str, record: Record, intent: Intent) -> dict[str, Any]:
    """The client payload; what does not apply is null. A retraction's deadline is the publish time."""
    last: dict[str, Any] = {"retract": True} if intent.retracts else {"not_after": intent.not_after}
    return {
        "video_id": record.video_id,
        "schedule_id": schedule_id,
        "key": intent.key,
        "wave_id": record.wave_id,
        "coordination_group_id": record.coordination_group_id,
        "channel_id": record.channel_id,
        "schedule_type": record.schedule_type,
        "scheduled_at": record.scheduled_at,
        **last,
        "metadata": record.metadata,
    }


def payload_problem(metadata: Mapping[str, Any] | None) -> str | None:
    """Why GitHub would refuse a payload with this metadata; None where it would not."""
    if metadata is None:
        return None
    # The other nine keys take at most about 1,400 characters: ids of 64, a video of 200, a key of 30.
    size = len(json.dumps(metadata, ensure_ascii=False)) + 1_500
    if size > PAYLOAD_LIMIT:
        return f"the metadata is too long: {size:,} characters in all, and GitHub accepts {PAYLOAD_LIMIT:,}"
    return None


def intent_of(
    schedule_id: str,
    record: Record,
    channel: desired.ChannelSpec,
    settings: desired.SettingsSpec,
    *,
    lineage: str,
    owner: str,
    now: Instant,
    not_after: Instant,
    token: str | None,
) -> Intent:
    """The intent for one attempt, as it is recorded before the request leaves."""
    first_id = record.first_id or schedule_id
    return intent_for(
        channel,
        settings,
        owner=owner,
        at=instant_text(now),
        key=key_of(lineage, first_id, record.resends),
        not_after=instant_text(not_after),
        token=token,
        job_id=_job_id(first_id, record.resends) if channel.repository is None else None,
    )


_SHARED = tuple(name for name in Intent.__struct_fields__ if name in desired.ChannelSpec.__struct_fields__)
"""The keys of a channel that an intent records: those of which it has a field."""


def intent_for(channel: desired.ChannelSpec, settings: desired.SettingsSpec, **known: Any) -> Intent:
    """An intent to send to a channel as it is declared now; `known` are the fields that it does not say."""
    intent = {name: getattr(channel, name) for name in _SHARED}
    intent["transport"] = transport = transport_of(channel)
    intent["event_type"] = None if TRANSPORTS[transport].is_job else channel.event_type or settings.event_type
    return Intent(**intent | known)


def intend_again(record: Record, *, owner: str, now: Instant) -> Record:
    """The record of an executing schedule that goes out once more with the same key (`at-least-once`)."""
    assert record.intent is not None, "the reader of states refuses an executing record without an intent"
    intent = msgspec.structs.replace(record.intent, owner=owner, at=instant_text(now))
    return note(
        record, now, f"attempt {record.attempts + 1}, with the same key",
        intent=intent, attempts=record.attempts + 1, next_attempt_at=None, limited=False, not_found_at=None,
    )  # fmt: skip


def intend(record: Record, intent: Intent, *, now: Instant, due: Instant, base: Instant) -> Record:
    """The record of a schedule that is about to be sent. From `due` on it may leave, and from `base` on it is
    late: its publish time, or its release by `after_success`."""
    return advance(
        record,
        "executing",
        now,
        f"attempt {record.attempts + 1}",
        intent=intent,
        attempts=record.attempts + 1,
        executed_at=instant_text(now),
        lateness_seconds=max(0, now - base),
        dispatch_lateness_seconds=max(0, now - due),
        error_message=None,
        next_attempt_at=None,
        limited=False,
        lease=None,
        accepted_at=None,
        checked_at=None,
        not_found_at=None,
        unconfirmed=None,
        unconfirmed_hint=None,
        asked_about=None,
        retraction=None,
    )


def _job_id(schedule_id: str, resends: int) -> str:
    return schedule_id if resends == 0 else f"{schedule_id}#{resends}"
