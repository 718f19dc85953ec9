"""The pydantic models of the three kinds of file: which keys there are, and what they say together.

A rule about several keys stands in the validator of the key at which its fault is told. Fields are
validated in the order in which they stand here, and a validator sees the fields above its own that were
fine, so that a fault in one key never makes a second one in another. Descriptions and examples are for
editors: they become hovers and completions through the JSON Schemas.
"""

# Without `from __future__ import annotations`: pydantic would have to evaluate the texts again.
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from annotated_types import MinLen
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from scheduler.desired import fields
from scheduler.desired.fields import CHANNEL_ZONE, fault
from scheduler.desired.specs import BareMembers, MemberSpec, Pace
from scheduler.times import available_zones

HIDDEN: Final = "\ufffd"
"""What the reader puts in the place of a character that may not stand in a value."""
TAGS: Final = frozenset({"<id>", "<mapping>", "<list>", "<flag>"})
"""The union tags that pydantic puts into the place of a fault, and that no file has."""


def key(
    words: str,
    *examples: Any,
    default: Any = ...,
    shown: Any = None,
    meanings: Sequence[str] = (),
    **more: Any,
) -> Any:
    """A key of a file: what hovers say of it, examples, and its default as an editor would write it.

    `meanings` explain the values of an enumeration, in their order.
    """
    extra: dict[str, Any] = {"default": shown} if shown is not None else {}
    if meanings:
        extra["markdownEnumDescriptions"] = list(meanings)
    return Field(default, description=words, examples=list(examples), json_schema_extra=extra or None, **more)


class File(BaseModel):
    """What all mappings of the files share: unknown keys are faults, nothing changes later."""

    # The models are built when the first file of their kind is read.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


MOST_ITEMS: Final = 1_000
"""Items of a list that is gone through for every schedule, or for every day: a file stays quickly read."""


def _not_too_many(value: Any, info: ValidationInfo) -> Any:
    """Refuse a list that is much too long before its items are looked at."""
    if isinstance(value, list) and len(value) > MOST_ITEMS:
        raise fault(f"`{info.field_name}` has {len(value):,} items; at most {MOST_ITEMS:,} are read")
    return value


def _form(value: object) -> str | None:
    """The tag of the form in which a value was written."""
    if isinstance(value, dict):
        return "<mapping>"
    if isinstance(value, list):
        return "<list>"
    return "<id>"


def _flag_or_mapping(value: object) -> str:
    return "<mapping>" if isinstance(value, dict) else "<flag>"


def _list_or_mapping(value: object) -> str | None:
    form = _form(value)
    return None if form == "<id>" else form


def _id_or_mapping(value: object) -> str | None:
    form = _form(value)
    return None if form == "<list>" else form


# --- what several kinds of file share ---------------------------------------------------------------

_ZONE_BESIDE = "The time zone (IANA name) of local times in this mapping, such as `Europe/Berlin`."


class PauseFile(File):
    """A pause with its reason."""

    timezone: fields.Zone | None = key(_ZONE_BESIDE, "Europe/Berlin", default=None)
    reason: fields.Reason | None = key(
        "Why it is paused, for whoever asks later.", "waiting for legal", default=None
    )
    until: fields.Time | None = key(
        "When the pause ends by itself. Without it, it lasts until the line is removed.",
        "2030-03-01T18:00:00Z",
        default=None,
    )


Paused = Annotated[
    Annotated[fields.Flag, Tag("<flag>")] | Annotated[PauseFile, Tag("<mapping>")],
    Discriminator(_flag_or_mapping),
]
_PAUSED = (
    "Holds back what has not been sent: `true`, or a mapping with a `reason` and an end. "
    "What is resumed later than `catch_up` after its time is not sent any more."
)
_PAUSE: Final = {"reason": "waiting for legal", "until": "2030-03-02T09:00:00Z"}
_CANCELLED = "`true` cancels what has not been sent."
_METADATA = "Anything the channel's workflow should get along. All values arrive as texts, as they are typed."
_REPEAT = "`true` allows a video that the channel had less than `repeat_window` ago."
_RENAMED = "The records move along, so that nothing is sent twice. The line may go after the next run."


# --- waves ------------------------------------------------------------------------------------------


class MemberFile(File):
    """A channel with something of its own."""

    id: fields.ChannelId = key("The id of the channel: the name of its file without `.yaml`.", "tech-daily")
    timezone: fields.Zone | None = key(_ZONE_BESIDE, "Europe/Berlin", default=None)
    at: fields.TimeOrLocal | None = key(
        "A time of its own for this channel; nobody else's moves.", "2030-03-02T20:00:00Z", default=None
    )
    shift: fields.Shift | None = key(
        "Moves this channel and all after it in a stagger: `30m` later, `-30m` earlier.",
        "30m",
        "-30m",
        default=None,
    )
    paused: Paused = key(
        _PAUSED + " The channel keeps its place in a stagger.", True, _PAUSE, default=False, shown=False
    )
    cancelled: fields.Flag = key(
        _CANCELLED + " The channel keeps its place in a stagger: nobody else's time moves.",
        True,
        default=False,
    )

    @field_validator("shift")
    @classmethod
    def _only_in_a_stagger(cls, shift: int, info: ValidationInfo) -> int:
        if info.context is not None and info.context.entry_type == "simultaneous":
            raise fault(
                "`shift` moves the channels of a staggered entry; this one is simultaneous",
                "write the time itself with `at:`",
            )
        if info.data.get("at") is not None:
            raise fault("a channel has either `at` or `shift`, not both", "remove one of the two")
        return shift


class TagsFile(File):
    """Channels chosen by their tags."""

    tags: tuple[fields.Id, ...] = key(
        "Chooses all active channels that carry every one of these tags.", ["gaming", "de"], min_length=1
    )


class _PlainMembers(dict[str, MemberSpec]):
    """Members that are an id and nothing else: each is made and checked once."""

    def __missing__(self, name: str) -> MemberSpec:
        if not fields.is_id(name) or (name in fields.NOTHING):
            raise KeyError(name)
        member = self[str(name)] = MemberSpec(id=str(name))
        return member


_plain_members: Final = _PlainMembers()


def _all_plain(value: object, handler: Any) -> Any:
    """Take a list of mere ids in one step, which most lists are; pydantic takes the others."""
    if type(value) is list and value:
        try:
            return BareMembers(map(_plain_members.__getitem__, value))
        except (KeyError, TypeError):
            pass
    return handler(value)


_Member = Annotated[
    Annotated[fields.ChannelId, Tag("<id>")] | Annotated[MemberFile, Tag("<mapping>")],
    Discriminator(
        _id_or_mapping,
        custom_error_type="invalid-value",
        custom_error_message="a list stands where a channel should; "
        "write an id, or a mapping such as {id: alpha, paused: true}",
    ),
]
Channels = Annotated[
    Annotated[
        Annotated[tuple[_Member, ...], MinLen(1)],
        WrapValidator(_all_plain),
        Tag("<list>"),
    ]
    | Annotated[TagsFile, Tag("<mapping>")],
    Discriminator(
        _list_or_mapping,
        custom_error_type="invalid-value",
        custom_error_message="`channels` must be a list of channels; "
        "write [alpha, beta], or {tags: [gaming]}",
    ),
]


class EntryFile(File):
    """One video on several channels."""

    type: Literal["simultaneous", "staggered"] = key(
        "Whether all channels publish at once, or one after the other.",
        "simultaneous",
        meanings=("All channels at the same time.", "One channel after the other, a `delay` apart."),
    )
    video: fields.Video = key("The id of the video, as the channels know it.", "premiere-4k")
    group: fields.Id | None = key(
        "The name of this entry within the wave; records are kept under it. "
        "Without it, the video's id, where that is a valid name.",
        "teaser",
        default=None,
        validate_default=True,
    )
    timezone: fields.EntryZone | None = key(
        "The time zone (IANA name) of local times in this entry. In a simultaneous entry also `channel`: "
        "the same wall-clock time in each channel's own zone.",
        "Europe/Berlin",
        "channel",
        default=None,
    )
    at: fields.TimeOrLocal = key(
        "When to publish; in a staggered entry, on the first channel. RFC 3339 with an offset, "
        "or a local time with a `timezone` beside it.",
        "2030-03-01T18:00:00Z",
        "2030-03-01T19:00:00+01:00",
    )
    after_success: fields.Flag = key(
        "In a staggered entry: `true` makes each channel wait until the one before it is completed.",
        True,
        default=False,
    )
    delay: fields.Duration | None = key(
        "In a staggered entry: the time from each channel to the next, such as `90s`, `45m`, `1h30m`.",
        "1h",
        "15m",
        default=None,
        validate_default=True,
    )
    channels: Channels = key(
        "The channels, in the order in which a stagger takes them: ids, or mappings with an `id`; "
        "or `{tags: [...]}` for all active channels with these tags.",
        ["alpha", "beta"],
    )
    members: tuple[MemberFile, ...] = key(
        "Lines about single channels of `channels`, such as a pause. For channels chosen by tags.",
        [{"id": "alpha", "paused": True}],
        default=(),
        shown=[],
    )
    metadata: fields.Metadata | None = key(_METADATA, {"campaign": "spring"}, default=None)
    repeat: fields.Flag = key(_REPEAT, True, default=False)
    renamed_from: fields.Id | None = key(
        "The former `group` of this entry. " + _RENAMED, "teaser-old", default=None
    )

    @model_validator(mode="before")
    @classmethod
    def _tell_those_inside(cls, data: Any, info: ValidationInfo) -> Any:
        surroundings = info.context
        if surroundings is not None and isinstance(data, dict):
            kind, zone = data.get("type"), data.get("timezone")
            surroundings.entry_type = kind if isinstance(kind, str) else None
            surroundings.zone = known_zone(zone) if zone is not None else None
        return data

    @field_validator("group")
    @classmethod
    def _group_or_video(cls, group: str | None, info: ValidationInfo) -> str | None:
        video = info.data.get("video")
        if group is not None or video is None or fields.is_id(video):
            return group or video
        if HIDDEN in video:  # the reader has told of it: one fault is one error
            return str(video).replace(HIDDEN, "-")
        message = "`group` is missing: the video's id is not a valid name for the entry"
        raise fault(message, "add a line such as `group: teaser`", code="missing-key", missing="group")

    @field_validator("timezone")
    @classmethod
    def _each_channel_at_once(cls, zone: str, info: ValidationInfo) -> str:
        if zone == CHANNEL_ZONE and info.data.get("type") == "staggered":
            message = "`timezone: channel` needs a simultaneous entry: zones would make an order of their own"
            raise fault(message, "write an IANA name, such as Europe/Berlin, or `type: simultaneous`")
        return zone

    @field_validator("at")
    @classmethod
    def _local_to_each_channel(cls, at: int | str, info: ValidationInfo) -> int | str:
        if info.data.get("timezone") == CHANNEL_ZONE and not isinstance(at, str):
            message = "with `timezone: channel`, `at` must be a local time; this one has an offset"
            raise fault(message, "leave out the offset: 2030-03-01T18:00 is 18:00 on each channel's clock")
        return at

    @field_validator("after_success")
    @classmethod
    def _one_after_the_other(cls, after_success: bool, info: ValidationInfo) -> bool:
        if after_success and info.data.get("type") == "simultaneous":
            message = "`after_success` needs a staggered entry: in this one no channel comes before another"
            raise fault(message, "remove the line, or write `type: staggered` and a `delay`")
        return after_success

    @field_validator("delay")
    @classmethod
    def _delay_of_a_stagger(cls, delay: int | None, info: ValidationInfo) -> int:
        kind = info.data.get("type")
        if delay is not None and kind == "simultaneous":
            message = "`delay` needs a staggered entry; this one is simultaneous"
            raise fault(message, "remove the line, or write `type: staggered`")
        if delay is None and kind == "staggered" and info.data.get("after_success") is False:
            raise fault(
                "`delay` is missing: how long after each channel comes the next one?",
                "add a line such as `delay: 1h`",
                code="missing-key",
                missing="delay",
            )
        return delay or 0

    @field_validator("members")
    @classmethod
    def _members_of_channels(
        cls, members: tuple[MemberFile, ...], info: ValidationInfo
    ) -> tuple[MemberFile, ...]:
        faults = list(_misplaced(members, info.data.get("channels"))) if members else []
        if faults:
            raise ValidationError.from_exception_data("members", faults)
        return members


def _misplaced(members: Sequence[MemberFile], channels: Any) -> "list[InitErrorDetails]":
    """Lines in `members` that are there twice, or are about no channel of the list."""
    listed = {member.id if isinstance(member, MemberSpec | MemberFile) else member
              for member in channels} if isinstance(channels, tuple) else None  # fmt: skip
    settled = {member.id for member in channels if isinstance(member, MemberFile)} if listed else set()
    faults: list[InitErrorDetails] = []
    seen: set[str] = set()
    for i, member in enumerate(members):
        problem = None
        if member.id in seen:
            problem = fault(f"{member.id!r} is in `members` twice", "keep one", code="duplicate-id")
        elif member.id in settled:
            problem = fault(
                f"{member.id!r} has a line of its own in `channels` already", "keep one of the two"
            )
        elif listed is not None and member.id not in listed:
            hint = "add it to `channels`, or remove this line"
            problem = fault(f"{member.id!r} is not among the `channels` of this entry", hint)
        seen.add(member.id)
        if problem is not None:
            faults.append(InitErrorDetails(type=problem, loc=(i, "id"), input=member.id))  # type: ignore[typeddict-item]  # fault() makes pydantic's own
    return faults


class WaveFile(File):
    """A set of publications that belong together."""

    title: fields.Title | None = key("A name for people.", "Spring launch", default=None)
    paused: Paused = key(_PAUSED, True, _PAUSE, default=False, shown=False)
    cancelled: fields.Flag = key(_CANCELLED, True, default=False)
    catch_up: fields.Duration | None = key(
        "How late something of this wave may be sent at most. Overrides `catch_up` in `scheduler.yaml`.",
        "15m",
        default=None,
    )
    on_failure: Literal["continue", "halt"] = key(
        "What a failure does to the rest of the wave.",
        default="continue",
        meanings=("The rest goes on.", "What has not been sent yet is paused."),
    )
    renamed_from: fields.Id | None = key(
        "The former name of this file, without `.yaml`. " + _RENAMED, "spring-lanch", default=None
    )
    # The last key, since each entry sets the zone of the times below it (`_tell_those_inside`).
    schedules: tuple[EntryFile, ...] = key(
        "What to publish: one entry for each video.",
        [
            {
                "type": "simultaneous",
                "video": "premiere-4k",
                "at": "2030-03-01T18:00:00Z",
                "channels": ["alpha"],
            }
        ],
    )


# --- channels ---------------------------------------------------------------------------------------


class LineupFile(File):
    """A video of the lineup with something of its own."""

    video: fields.Video = key("The id of the video, as the channel knows it.", "rebase-explained")
    timezone: fields.Zone | None = key(_ZONE_BESIDE, "Europe/Berlin", default=None)
    not_before: fields.Time | None = key(
        "Before this time the entry is passed over, and keeps its place.",
        "2030-03-01T00:00:00Z",
        default=None,
    )
    repeat: fields.Flag = key(_REPEAT, True, default=False)


_LineupItem = Annotated[
    Annotated[fields.Video, Tag("<id>")] | Annotated[LineupFile, Tag("<mapping>")],
    Discriminator(
        _id_or_mapping,
        custom_error_type="invalid-value",
        custom_error_message="a list stands where a video should; "
        "write the id of a video, or a mapping such as {video: rebase-explained}",
    ),
]


class OneOffFile(File):
    """A single publication."""

    video: fields.Video | None = key(
        "The id of the video. It can be assigned later; without one at its time, it fails.",
        "anniversary",
        default=None,
    )
    timezone: fields.Zone | None = key(_ZONE_BESIDE, "Europe/Berlin", default=None)
    at: fields.Time = key(
        "When to publish: with an offset, or local in the channel's `timezone`.", "2030-03-05T09:00:00Z"
    )
    paused: Paused = key(_PAUSED, True, _PAUSE, default=False, shown=False)
    cancelled: fields.Flag = key(_CANCELLED + " At a slot's time, it takes that slot.", True, default=False)
    repeat: fields.Flag = key(_REPEAT, True, default=False)
    metadata: fields.Metadata | None = key(_METADATA, {"campaign": "spring"}, default=None)


class ChannelFile(File):
    """A place where videos are published."""

    name: fields.Title | None = key("A name for people.", "Tech Daily", default=None)
    repository: fields.Repository | None = key(
        "The GitHub repository whose workflow publishes: `owner/name`. "
        "Without one, schedules become jobs on a queue.",
        "acme/tech-daily",
        default=None,
    )
    event_type: fields.EventType | None = key(
        "The `repository_dispatch` type that the workflow listens to, at most 100 characters. "
        "Default: the one in `scheduler.yaml`.",
        "process-video",
        default=None,
    )
    token: fields.Variable | None = key(
        "The NAME of the environment variable that holds the token; never the token itself.",
        "ACME_TOKEN",
        default=None,
    )
    timezone: fields.Zone = key(
        "The time zone (IANA name) of the slots and of local times in this file; times are shown in it.",
        "Europe/Berlin",
        default="UTC",
    )
    lead: fields.Duration = key(
        "How long before the publish time the workflow is started, such as `6h`.", "6h", default=0, shown="0s"
    )
    transport: Literal["repository_dispatch", "workflow_dispatch"] = key(
        "How the workflow is started.",
        default="repository_dispatch",
        meanings=(
            "By an event that all workflows listening to `event_type` get.",
            "By name: needs `workflow`, and GitHub answers with the run.",
        ),
    )
    workflow: fields.Workflow | None = key(
        "With `transport: workflow_dispatch`: the workflow's file below `.github/workflows`.",
        "publish.yml",
        default=None,
        validate_default=True,
    )
    confirm: Literal["accepted", "run"] = key(
        "What completes a schedule.",
        default="accepted",
        meanings=("GitHub took the request.", "The channel's workflow run succeeded."),
    )
    delivery: Literal["at-most-once", "at-least-once"] = key(
        "What happens where it is unknown whether a request arrived.",
        default="at-most-once",
        meanings=(
            "It is not sent again: a person looks.",
            "It is sent again with the same key, for a workflow that claims the key.",
        ),
    )
    active: fields.Flag = key("`false`: nothing may be scheduled on it.", False, default=True)
    paused: Paused = key(_PAUSED, True, _PAUSE, default=False, shown=False)
    tags: tuple[fields.Id, ...] = key(
        "By these, waves can choose channels: `channels: { tags: [gaming] }`.",
        ["gaming", "de"],
        default=(),
        shown=[],
    )
    renamed_from: fields.Id | None = key(
        "The former name of this file, without `.yaml`. " + _RENAMED, "tech-dayly", default=None
    )
    slots: tuple[fields.Slot, ...] = key(
        "The channel's own schedule, in its `timezone`: systemd calendar expressions. "
        "`Mon *-*-1..7 09:30` is the first Monday of a month.",
        ["Mon,Wed,Fri 18:00"],
        ["Mon *-*-1..7 09:30"],
        default=(),
        shown=[],
    )
    lineup: tuple[_LineupItem, ...] = key(
        "The videos that fill the open slots, in this order.", ["intro-to-git"], default=(), shown=[]
    )
    schedules: tuple[OneOffFile, ...] = key(
        "Single publications at times of their own.",
        [{"video": "anniversary", "at": "2030-03-05T09:00:00Z"}],
        default=(),
        shown=[],
    )
    queue: fields.Id | None = key(
        "Without a `repository`: the name of the queue that gets the jobs. Default: `publications`.",
        "publications",
        default=None,
    )
    command: fields.Command | None = key(
        "Without a `repository`: what a worker runs for each job.", "./publish.sh", default=None
    )

    _few_slots = field_validator("slots", mode="before")(_not_too_many)

    @field_validator("transport")
    @classmethod
    def _dispatch_needs_a_repository(cls, transport: str, info: ValidationInfo) -> str:
        # A faulty repository is not in the data at all; one that is not there is, as None.
        if transport == "workflow_dispatch" and info.data.get("repository", "faulty") is None:
            message = "`repository` is missing: `transport: workflow_dispatch` starts a workflow there"
            hint = "add a line such as `repository: acme/tech-daily`"
            raise fault(message, hint, code="missing-key", missing="repository")
        return transport

    @field_validator("workflow")
    @classmethod
    def _workflow_to_start(cls, workflow: str | None, info: ValidationInfo) -> str | None:
        transport = info.data.get("transport")
        if workflow is None and transport == "workflow_dispatch":
            message = "`workflow` is missing: which one does `transport: workflow_dispatch` start?"
            hint = "add a line such as `workflow: publish.yml`"
            raise fault(message, hint, code="missing-key", missing="workflow")
        if workflow is not None and transport == "repository_dispatch":
            message = "`workflow` needs `transport: workflow_dispatch`; an event starts all that listen to it"
            raise fault(message, "remove the line, or add `transport: workflow_dispatch`")
        return workflow

    @field_validator("queue", "command")
    @classmethod
    def _repository_or_queue(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("repository") is not None:
            message = f"`{info.field_name}` is for channels without a repository; this one has a `repository`"
            raise fault(message, "remove one of the two lines")
        return value


# --- settings ---------------------------------------------------------------------------------------


class ConflictsFile(File):
    """How near two schedules on one channel may be."""

    min_gap: fields.Duration = key(
        "The least time between two schedules on one channel.", "5m", default=60, shown="1m"
    )
    repeat_window: fields.Duration = key(
        "The least time between two publications of one video on one channel.",
        "7d",
        default=86_400,
        shown="24h",
    )


class RetryFile(File):
    """What happens after a definite not-now."""

    attempts: fields.Count = key("How many requests are made in all.", 5, default=3)
    backoff: fields.Duration = key(
        "How long to wait before the second request; doubled each time.", "30s", default=60, shown="1m"
    )


class BrakeFile(File):
    """How much may vanish at once."""

    cancel_percent: fields.Percent = key(
        "More than this share of the live schedules is not cancelled without `--force`.", 50, default=30
    )
    at_least: fields.Least = key("Fewer than this many are never too many.", 20, default=10)


class FreezeFile(File):
    """A span in which nothing is sent."""

    timezone: fields.Zone | None = key(_ZONE_BESIDE, "Europe/Berlin", default=None)
    reason: fields.Reason | None = key("Why, for whoever asks later.", "Holidays", default=None)
    from_: fields.Time = key("When it begins.", "2030-12-24T00:00:00Z", alias="from")
    until: fields.Time = key("When it is over; this instant is outside.", "2030-12-27T00:00:00Z")
    channels: tuple[fields.ChannelId, ...] | None = key(
        "The channels it holds for. Without it: all.", ["alpha"], default=None, min_length=1
    )

    @field_validator("until")
    @classmethod
    def _ends_after_it_begins(cls, until: int, info: ValidationInfo) -> int:
        if until <= info.data.get("from_", until - 1):
            raise fault("the freeze ends before it begins", "`until` must be later than `from`")
        return until


class SettingsFile(File):
    """What holds for all waves and channels."""

    conflicts: ConflictsFile = key(
        "Which schedules get in each other's way.", {"min_gap": "5m"}, default=ConflictsFile()
    )
    catch_up: fields.Duration = key(
        "How late something may be sent at most; later, it is missed.", "15m", default=3_600, shown="1h"
    )
    horizon: fields.Duration = key(
        "How far ahead the slots of channels become schedules.", "30d", default=14 * 86_400, shown="14d"
    )
    retry: RetryFile = key(
        "What happens when GitHub says: not now.", {"attempts": 5, "backoff": "30s"}, default=RetryFile()
    )
    pace: fields.PaceText = key(
        "How fast one token may be used: that many at once, refilled evenly. `1/s`, `60/min`, `500/h`.",
        "30/min",
        default=Pace(),
        shown="60/min",
    )
    allow: tuple[fields.Allowed, ...] = key(
        "The repositories that channels may point at, as patterns. `[]` allows all.",
        ["acme/*"],
        default=(),
        shown=[],
    )
    brake: BrakeFile = key(
        "How many live schedules may vanish at once.", {"cancel_percent": 50}, default=BrakeFile()
    )
    event_type: fields.EventType = key(
        "The `repository_dispatch` type of channels that name none.", "publish", default="process-video"
    )
    state: fields.Home = key(
        "Where the record is kept: a path, or `branch:<name>` on the remote `origin`.",
        "branch:scheduler-state",
        default="state.json",
    )
    lineage: fields.Lineage = key(
        "The lineage of the state, as `scheduler state init` prints it: another state is refused.",
        "3f2b8c1e-6a51-4c7e-9f0d-2b1a5e8d7c43",
        default=None,
    )
    queue: fields.QueueUrl = key(
        "The URL of the queue of channels without a repository; relative paths start at the repository.",
        "redis://queue.internal/0",
        default="sqlite:///queue.db",
    )
    freezes: tuple[FreezeFile, ...] = key(
        "Spans in which nothing is sent.",
        [{"reason": "Holidays", "from": "2030-12-24T00:00:00Z", "until": "2030-12-27T00:00:00Z"}],
        default=(),
        shown=[],
    )
    notify: tuple[fields.Variable, ...] = key(
        "NAMES of environment variables that hold notification URLs.", ["SLACK_URL"], default=(), shown=[]
    )

    _few_to_go_through = field_validator("allow", "freezes", mode="before")(_not_too_many)


def known_zone(zone: object) -> str | None:
    """The zone that a `timezone:` names, or None where it names none (told elsewhere)."""
    known = isinstance(zone, str) and (zone == CHANNEL_ZONE or zone in available_zones())
    return str(zone) if known else None
