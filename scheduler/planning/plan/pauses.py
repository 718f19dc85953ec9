"""Who holds a schedule back now: itself, its wave, its channel, a freeze, the operator. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler import desired
from scheduler.planning.expand import pause_of
from scheduler.planning.plan.plan import Subject
from scheduler.state.record import Pause, Record
from scheduler.times import Instant, instant_text, read_utc

OPERATOR = Pause("operator", "SCHEDULER_PAUSED=1")


class Pauses:
    """All pauses but the halt, which depends on what became of others (`scheduler.planning.plan.halts`)."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._channels: dict[str, Pause | None] = {}
        self._freezes: dict[str, list[desired.Freeze]] = {}
        self._idle: dict[str, bool] = {}

    def of(self, schedule_id: str, record: Record) -> tuple[Pause, ...]:
        """Everything that holds a record back now. Any of them does."""
        subject = self._subject
        found: list[Pause | None] = []
        schedule = subject.schedules.get(schedule_id)
        if schedule is not None:
            if schedule.paused is schedule.group.paused is None and self._nothing_on(schedule.channel):
                return ()  # as nearly always; it is asked twice for each of 100,000 new schedules
            found += (schedule.paused, schedule.group.paused)
        else:  # its file cannot be read: as it was recorded
            found += (pause for pause in record.pauses if pause.by in ("schedule", "wave"))
        found.append(self._channel(record.channel_id))
        if subject.declared.settings.freezes:
            found.append(self._freeze(record))
        if subject.surroundings.stopped:
            found.append(OPERATOR)
        return tuple(
            pause
            for pause in found
            if pause is not None and (pause.until is None or read_utc(pause.until) > subject.now)
        )

    def _nothing_on(self, channel_id: str) -> bool:
        """Whether neither the channel, nor a freeze of it, nor the operator may hold anything back."""
        known = self._idle.get(channel_id)
        if known is None:
            subject = self._subject
            held = self._channel(channel_id) or self._freezes_of(channel_id) or subject.surroundings.stopped
            known = self._idle[channel_id] = not held
        return known

    def _channel(self, channel_id: str) -> Pause | None:
        if channel_id not in self._channels:
            channel = self._subject.declared.channels.get(channel_id)
            self._channels[channel_id] = pause_of("channel", None if channel is None else channel.paused)
        return self._channels[channel_id]

    def _freeze(self, record: Record) -> Pause | None:
        """A freeze holds back what lies in it until it ends, and whatever falls due while it lasts."""
        now = self._subject.now
        freezes = self._freezes_of(record.channel_id)
        if not freezes:
            return None
        due = record.at - self._subject.lead(record.channel_id)
        holding = [
            freeze
            for freeze in freezes
            if (freeze.from_ <= now and due < freeze.until) or freeze.from_ <= record.at < freeze.until
        ]
        if not holding:
            return None
        last = max(holding, key=lambda freeze: freeze.until)
        return Pause("freeze", last.reason, instant_text(last.until))

    def ends_of_freezes(self, channel_id: str) -> list[Instant]:
        """When the freezes of a channel end that are not over."""
        return [freeze.until for freeze in self._freezes_of(channel_id)]

    def _freezes_of(self, channel_id: str) -> list[desired.Freeze]:
        """The freezes of a channel that are not over."""
        freezes = self._freezes.get(channel_id)
        if freezes is None:
            now = self._subject.now
            freezes = self._freezes[channel_id] = [
                freeze
                for freeze in self._subject.declared.settings.freezes
                if freeze.until > now and (freeze.channels is None or channel_id in freeze.channels)
            ]
        return freezes


def until_when(pauses: Iterable[Pause]) -> Instant | None:
    """When the last of these pauses ends by itself; None where one waits for a person."""
    ends = [None if pause.until is None else read_utc(pause.until) for pause in pauses]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


def pauses_text(pauses: Iterable[Pause]) -> str:
    """`paused by channel (strike, until 2026-03-01T18:00:00Z), freeze (Holidays)`."""
    parts = []
    for pause in pauses:
        details = [pause.reason or "", f"until {pause.until}" if pause.until else ""]
        inside = ", ".join(filter(None, details))
        parts.append(f"{pause.by} ({inside})" if inside else pause.by)
    return "paused by " + ", ".join(parts) if parts else ""
