"""The one declaration of every key that a file may have, and of the value that a file becomes.

Each field is a key: its type says how it is read (`fields`), its `Key` what editors are shown, and the field
itself is what the other wings use. A `ClassVar` is a key that only helps to read those below it, and is not
part of the value. Keys are read in the order in which they are declared, and a rule about several keys
(`models`) sees those above its own. The first line of a docstring is for editors.

Instants are whole seconds since 1970-01-01T00:00:00Z, durations whole seconds. A spec exists only where its
file has no error and never changes; a text in it is a bare `str`. pydantic is not imported here, so that
other wings can make specs of their own in a line, and cheaply.
"""

# Without `from __future__ import annotations`: the types are used, not only checked.
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

import msgspec
from annotated_types import MinLen

from scheduler.desired import fields
from scheduler.desired.fields import Pace, fault
from scheduler.desired.markers import Key, OneOf, Read, Wrap
from scheduler.desired.plain import NOTHING
from scheduler.desired.transports import TRANSPORTS, ForgeTransport

DEFAULT_QUEUE: Final = "publications"
"""The queue of a channel that names neither a repository nor a queue."""
MOST_ITEMS: Final = 1_000
"""Items of a list that is gone through for every schedule, or for every day: a file stays quick to read."""


class Spec(msgspec.Struct, frozen=True):
    """A mapping of a file; unknown keys are faults."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: Any) -> Any:
        from scheduler.desired import models

        return models.core_schema_of(cls, handler)


def _at_most(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Refuse a list that is much too long before its items are looked at."""
    if isinstance(value, list) and len(value) > MOST_ITEMS:
        raise fault(f"has {len(value):,} items; at most {MOST_ITEMS:,} are read", key=True)
    return handler(value)


_Few = Wrap(_at_most)

# --- what several kinds of file share ---------------------------------------------------------------

_ZONE_BESIDE = Key(
    "The time zone (IANA name) of local times in this mapping, such as `Europe/Berlin`.", "Europe/Berlin"
)
_Zone = Annotated[fields.Zone | None, _ZONE_BESIDE]


class PauseSpec(Spec, frozen=True):
    """A pause with its reason.

    `until` is exclusive; without one, the pause lasts until its line is removed.
    """

    timezone: ClassVar[_Zone]
    reason: Annotated[
        fields.Reason | None, Key("Why it is paused; shown wherever the pause is.", "waiting for legal")
    ] = None
    until: Annotated[
        fields.Time | None,
        Key(
            "When the pause ends by itself. Without it, the pause lasts until this line is removed.",
            "2030-03-01T18:00:00Z",
        ),
    ] = None


_Paused = Annotated[
    PauseSpec | None,
    OneOf({
        "scalar": Annotated[
            PauseSpec | None,
            Read(lambda value: PauseSpec() if fields.read_flag(value) else None, {"type": "boolean"}),
        ],
        "mapping": PauseSpec,
    }),
]  # fmt: skip


def _paused(more: str = "") -> Key:
    return Key(
        "Holds back what has not been sent: `true`, or a mapping with a `reason` and an end. "
        f"What is resumed more than `catch_up` after its time is not sent any more.{more}",
        True,
        {"reason": "waiting for legal", "until": "2030-03-02T09:00:00Z"},
        shown=False,
        instead_of_null="write `paused: true` or `paused: false`",
    )


def _cancelled(more: str = "") -> Key:
    instead = "write `cancelled: true` or `cancelled: false`"
    return Key(f"`true` cancels what has not been sent.{more}", True, instead_of_null=instead)


_METADATA = Key(
    "Anything else that the channel's workflow should receive. All values arrive as text, as typed.",
    {"campaign": "spring"},
)
_REPEAT = Key("`true` allows a video that the channel had less than `repeat_window` ago.", True)


def _renamed(what: str, example: str) -> Key:
    return Key(
        f"The former {what}. The records are kept under the new name, so that nothing is sent twice. "
        "You can remove this line after the next run.",
        example,
    )


# --- waves ------------------------------------------------------------------------------------------


class MemberSpec(Spec, frozen=True, kw_only=True):
    """A channel with settings of its own.

    At most one of `at` and `shift` is set. An `at` that is a text is a local time in the channel's own zone;
    `shift` is in seconds, negative for earlier.
    """

    id: Annotated[
        fields.ChannelId, Key("The id of the channel: the name of its file without `.yaml`.", "tech-daily")
    ]
    timezone: ClassVar[_Zone]
    at: Annotated[
        fields.TimeOrLocal | None,
        Key("A time for this channel alone; no other channel moves.", "2030-03-02T20:00:00Z"),
    ] = None
    shift: Annotated[
        fields.Shift | None,
        Key("Moves this channel and all after it in a stagger: `30m` later, `-30m` earlier.", "30m", "-30m"),
    ] = None
    paused: Annotated[_Paused, _paused(" The channel keeps its place in a stagger.")] = None
    cancelled: Annotated[
        fields.Flag, _cancelled(" The channel keeps its place in a stagger: no other channel moves.")
    ] = False


class BareMembers(tuple[MemberSpec, ...]):
    """Members that are ids and nothing else, as most lists are: `planning.expand` takes them all at once."""

    __slots__ = ()


class _BareMembers(dict[str, MemberSpec]):
    """The members that are an id and nothing else, by id: each is made and checked once."""

    def __missing__(self, name: str) -> MemberSpec:
        if not fields.is_id(name) or name in NOTHING:
            raise KeyError(name)
        member = self[str(name)] = MemberSpec(id=str(name))
        return member


_bare: Final = _BareMembers()


def _quoted_nothing(name: str) -> str:
    """Where `_bare` keeps a channel whose id is "null": without quotes, that is not an id."""
    return f'"{name}"'


def is_bare(member: MemberSpec) -> bool:
    """Whether a member was written as an id, not as a mapping."""
    return member is _bare.get(member.id) or member is _bare.get(_quoted_nothing(member.id))


def _read_bare(value: object) -> MemberSpec:
    name = fields.read_channel_id(value)
    if name in NOTHING:
        return _bare.setdefault(_quoted_nothing(name), MemberSpec(id=name))
    return _bare[name]


def _all_bare(value: object, handler: Callable[[Any], Any]) -> Any:
    """Take a list of ids in one step, which most lists are; pydantic reads the others item by item.

    The slow twin is `_Member`, item by item; tests/desired/test_spec.py holds the two equal ("a list of ids
    alone ..."). Reading 1,000 waves of 100 channels each takes twice as long without it.
    """
    if type(value) is list and value:
        try:
            return BareMembers(map(_bare.__getitem__, value))
        except (KeyError, TypeError):
            pass
    return handler(value)


_Member = Annotated[
    MemberSpec,
    OneOf(
        {"scalar": Annotated[MemberSpec, Read(_read_bare, fields.CHANNEL_ID)], "mapping": MemberSpec},
        "expected a channel, not a list; write an id, or a mapping such as {id: alpha, paused: true}",
    ),
]


class TagSelector(Spec, frozen=True):
    """Channels chosen by their tags."""

    tags: Annotated[
        tuple[fields.Id, ...],
        MinLen(1),
        Key("Chooses all active channels that have every one of these tags.", ["gaming", "de"]),
    ]


_Channels = Annotated[
    tuple[MemberSpec, ...] | TagSelector,
    OneOf(
        {
            "list": Annotated[tuple[_Member, ...], MinLen(1), Wrap(_all_bare)],
            "mapping": TagSelector,
        },
        "`channels` must be a list of channels; write [alpha, beta], or {tags: [gaming]}",
    ),
]


class EntrySpec(Spec, frozen=True, kw_only=True):
    """One video on several channels.

    An `at` that is a text (with `timezone: channel`) is a local time in each channel's own zone. `members`
    are lines about channels that `channels` selects; `delay` is in seconds.
    """

    type: Annotated[
        Literal["simultaneous", "staggered"],
        Key(
            "Whether all channels publish at once, or one after the other.",
            "simultaneous",
            meanings=("All channels at the same time.", "One channel after the other, a `delay` apart."),
        ),
    ]
    video: Annotated[fields.Video, Key("The id of the video, as the channels know it.", "premiere-4k")]
    group: Annotated[
        fields.Id,
        Key(
            "The name of this entry within the wave; records are kept under it. "
            "Default: the video's id, if it is a valid name.",
            "teaser",
            derived=True,
        ),
    ]
    timezone: ClassVar[
        Annotated[
            fields.EntryZone | None,
            Key(
                "The time zone (IANA name) of local times in this entry. In a simultaneous entry also "
                "`channel`: the same wall-clock time in each channel's own zone.",
                "Europe/Berlin",
                "channel",
            ),
        ]
    ]
    at: Annotated[
        fields.TimeOrLocal,
        Key(
            "When to publish; in a staggered entry, on the first channel. RFC 3339 with an offset, "
            "or a local time with a `timezone` beside it. A weekday before it must be that of the date.",
            "2030-03-01T18:00:00Z",
            "2030-03-01T19:00:00+01:00",
            "Fri 2030-03-01T18:00:00Z",
        ),
    ]
    after_success: Annotated[
        fields.Flag,
        Key(
            "In a staggered entry: `true` makes each channel wait until the one before it is completed.", True
        ),
    ] = False
    delay: Annotated[
        fields.Duration,
        Key(
            "In a staggered entry: the time from each channel to the next, such as `90s`, `45m`, `1h30m`.",
            "1h",
            "15m",
            derived=True,
        ),
    ] = 0
    channels: Annotated[
        _Channels,
        Key(
            "The channels, in the order in which a stagger takes them: ids, or mappings with an `id`; "
            "or `{tags: [...]}` for all active channels with these tags.",
            ["alpha", "beta"],
            instead_of_null="write the channels, such as `channels: [alpha, beta]`",
        ),
    ]
    members: Annotated[
        tuple[MemberSpec, ...],
        Key(
            "Lines about single channels of `channels`, such as a pause. For channels chosen by tags.",
            [{"id": "alpha", "paused": True}],
            shown=[],
        ),
    ] = ()
    metadata: Annotated[fields.Metadata | None, _METADATA] = None
    repeat: Annotated[fields.Flag, _REPEAT] = False
    renamed_from: Annotated[fields.Id | None, _renamed("`group` of this entry", "teaser-old")] = None


class WaveSpec(Spec, frozen=True, kw_only=True):
    """A set of publications that belong together.

    A file below `waves/`. `catch_up` (seconds) overrides the setting.
    """

    title: Annotated[fields.Title | None, Key("A name for people.", "Spring launch")] = None
    paused: Annotated[_Paused, _paused()] = None
    cancelled: Annotated[fields.Flag, _cancelled()] = False
    catch_up: Annotated[
        fields.Duration | None,
        Key(
            "How late anything in this wave may be sent at most. Overrides `catch_up` in `scheduler.yaml`.",
            "15m",
        ),
    ] = None
    on_failure: Annotated[
        Literal["continue", "halt"],
        Key(
            "What a failure does to the rest of the wave.",
            meanings=("The rest continues.", "What has not been sent yet is paused."),
        ),
    ] = "continue"
    renamed_from: Annotated[
        fields.Id | None, _renamed("name of this file, without `.yaml`", "spring-lanch")
    ] = None
    # The last key, since each entry sets the zone of the times below it (`models._set_context`).
    schedules: Annotated[
        tuple[EntrySpec, ...],
        Key(
            "What to publish: one entry for each video.",
            [
                {
                    "type": "simultaneous",
                    "video": "premiere-4k",
                    "at": "2030-03-01T18:00:00Z",
                    "channels": ["alpha"],
                }
            ],
            instead_of_null="write an entry below it, or `schedules: []` to publish nothing",
        ),
    ]


# --- channels ---------------------------------------------------------------------------------------


class LineupEntry(Spec, frozen=True, kw_only=True):
    """A video of the lineup with settings of its own.

    It waits for an open slot; before `not_before` it is passed over.
    """

    video: Annotated[fields.Video, Key("The id of the video, as the channel knows it.", "rebase-explained")]
    timezone: ClassVar[_Zone]
    not_before: Annotated[
        fields.Time | None,
        Key(
            "Before this time the entry is skipped, and keeps its place.",
            "2030-03-01T00:00:00Z",
            instead_of_null="write a time, such as `not_before: 2030-03-01T00:00:00Z`, or remove the line",
        ),
    ] = None
    repeat: Annotated[fields.Flag, _REPEAT] = False


_LineupItem = Annotated[
    LineupEntry,
    OneOf(
        {
            "scalar": Annotated[
                LineupEntry,
                Read(
                    lambda value: LineupEntry(video=fields.read_text(value, fields.LONGEST_VIDEO)),
                    fields.text_schema(longest=fields.LONGEST_VIDEO),
                ),
            ],
            "mapping": LineupEntry,
        },
        "expected a video, not a list; write the id of a video, or a mapping such as "
        "{video: rebase-explained}",
    ),
]


class OneOff(Spec, frozen=True, kw_only=True):
    """A single publication."""

    video: Annotated[
        fields.Video | None,
        Key(
            "The id of the video. It can be assigned later; if there is none at the publish time, the "
            "publication fails.",
            "anniversary",
        ),
    ] = None
    timezone: ClassVar[_Zone]
    at: Annotated[
        fields.Time,
        Key("When to publish: with an offset, or local in the channel's `timezone`.", "2030-03-05T09:00:00Z"),
    ]
    paused: Annotated[_Paused, _paused()] = None
    cancelled: Annotated[fields.Flag, _cancelled(" At a slot's time, it takes that slot.")] = False
    repeat: Annotated[fields.Flag, _REPEAT] = False
    metadata: Annotated[fields.Metadata | None, _METADATA] = None


class ChannelSpec(Spec, frozen=True, kw_only=True):
    """A place where videos are published.

    A file below `channels/`. Either `repository` or `queue` is set, and one of `repository`, `queue` and
    `command` is written. `lead` is in seconds; `event_type` is
    None where the settings' one applies; `token` is the NAME of an environment variable. A field that an
    `Intent` (`scheduler.state.record`) has as well is copied into it when a request is about to leave.
    """

    name: Annotated[fields.Title, Key("A name for people.", "Tech Daily", derived=True)]
    repository: Annotated[
        fields.Repository | None,
        Key(
            "The GitHub repository whose workflow publishes: `owner/name`. "
            "Without one, publications become jobs on a queue.",
            "acme/tech-daily",
            decides_sending=True,
        ),
    ] = None
    event_type: Annotated[
        fields.EventType | None,
        Key(
            "The `repository_dispatch` type that the workflow listens to, at most 100 characters. "
            "Default: the one in `scheduler.yaml`.",
            "process-video",
            decides_sending=True,
        ),
    ] = None
    token: Annotated[
        fields.Variable | None,
        Key(
            "The NAME of the environment variable that holds the token; never the token itself.",
            "ACME_TOKEN",
            decides_sending=True,
        ),
    ] = None
    timezone: Annotated[
        fields.Zone,
        Key(
            "The time zone (IANA name) of the slots and of local times in this file; times are shown in it.",
            "Europe/Berlin",
            decides_sending=True,
        ),
    ] = "UTC"
    lead: Annotated[
        fields.Duration,
        Key(
            "How long before the publish time the workflow is started, such as `6h`.",
            "6h",
            shown="0s",
            decides_sending=True,
        ),
    ] = 0
    transport: Annotated[
        ForgeTransport,
        Key(
            "How the workflow is started.",
            meanings=tuple(TRANSPORTS[name].meaning for name in get_args(ForgeTransport)),
            decides_sending=True,
        ),
    ] = "repository_dispatch"
    workflow: Annotated[
        fields.Workflow | None,
        Key(
            "With `transport: workflow_dispatch`: the workflow's file below `.github/workflows`.",
            "publish.yml",
            derived=True,
            decides_sending=True,
        ),
    ] = None
    retract: Annotated[
        fields.EventType | None,
        Key(
            "With `transport: repository_dispatch`: the event type that takes a publication back which was "
            "handed over and is not public yet. Without it, nothing can be taken back.",
            "retract-video",
            decides_sending=True,
        ),
    ] = None
    confirm: Annotated[
        Literal["accepted", "run"],
        Key(
            "What completes a publication.",
            meanings=("GitHub accepted the request.", "The channel's workflow run succeeded."),
            decides_sending=True,
        ),
    ] = "accepted"
    delivery: Annotated[
        Literal["at-most-once", "at-least-once"],
        Key(
            "What happens if it is unknown whether a request arrived.",
            meanings=(
                "It is not sent again: somebody has to check.",
                "It is sent again with the same key, for a workflow that claims the key.",
            ),
            decides_sending=True,
        ),
    ] = "at-most-once"
    active: Annotated[
        fields.Flag, Key("`false`: nothing may be scheduled on it.", False, decides_sending=True)
    ] = True
    paused: Annotated[_Paused, _paused()] = None
    tags: Annotated[
        tuple[fields.Id, ...],
        Key(
            "Waves can choose channels by these: `channels: { tags: [gaming] }`.", ["gaming", "de"], shown=[]
        ),
    ] = ()
    renamed_from: Annotated[
        fields.Id | None, _renamed("name of this file, without `.yaml`", "tech-dayly")
    ] = None
    slots: Annotated[
        tuple[fields.Slot, ...],
        _Few,
        Key(
            "The channel's own schedule, in its `timezone`: systemd calendar expressions. "
            "`Mon *-*-1..7 09:30` is the first Monday of a month.",
            ["Mon,Wed,Fri 18:00"],
            ["Mon *-*-1..7 09:30"],
            shown=[],
            instead_of_null="write `slots: []` for none, or an item such as `- Mon,Wed,Fri 18:00` below it",
        ),
    ] = ()
    lineup: Annotated[
        tuple[_LineupItem, ...],
        Key(
            "The videos that fill the open slots, in this order.",
            ["intro-to-git"],
            shown=[],
            instead_of_null="write `lineup: []` for none, or an item such as `- intro-to-git` below it",
        ),
    ] = ()
    schedules: Annotated[
        tuple[OneOff, ...],
        Key(
            "Single publications at times of their own.",
            [{"video": "anniversary", "at": "2030-03-05T09:00:00Z"}],
            shown=[],
            instead_of_null="write `schedules: []` for none, or an item below it",
        ),
    ] = ()
    command: Annotated[
        fields.Command | None,
        Key("Without a `repository`: what a worker runs for each job.", "./publish.sh", decides_sending=True),
    ] = None
    queue: Annotated[
        fields.Id | None,
        Key(
            "Without a `repository`: the name of the queue that gets the jobs. Default: `publications`.",
            "publications",
            derived=True,
            decides_sending=True,
        ),
    ] = None


# --- settings ---------------------------------------------------------------------------------------


class ConflictsSpec(Spec, frozen=True, kw_only=True):
    """How close two publications on one channel may be."""

    min_gap: Annotated[
        fields.Duration,
        Key("The least time between two publications on one channel.", "5m", shown="1m"),
    ] = 60
    repeat_window: Annotated[
        fields.Duration,
        Key("The least time between two publications of one video on one channel.", "7d", shown="24h"),
    ] = 86_400


class RetrySpec(Spec, frozen=True, kw_only=True):
    """How often, and how soon, a request is repeated when GitHub answers: not now."""

    attempts: Annotated[fields.Count, Key("How many requests are made in all.", 5)] = 3
    backoff: Annotated[
        fields.Duration,
        Key("How long to wait before the second request; doubled each time.", "30s", shown="1m"),
    ] = 60


class BrakeSpec(Spec, frozen=True, kw_only=True):
    """How many publications may disappear at once."""

    cancel_percent: Annotated[
        fields.Percent,
        Key("More than this share of the live publications is not cancelled without `--force`.", 50),
    ] = 30
    at_least: Annotated[fields.Least, Key("Fewer than this many are never too many.", 20)] = 10


class Freeze(Spec, frozen=True, kw_only=True):
    """A period in which nothing is sent.

    `from_` is inside, `until` outside. `channels` None means all.
    """

    timezone: ClassVar[_Zone]
    reason: Annotated[fields.Reason | None, Key("Why; shown wherever the freeze is.", "Holidays")] = None
    from_: Annotated[fields.Time, Key("When it begins.", "2030-12-24T00:00:00Z")] = msgspec.field(name="from")
    until: Annotated[fields.Time, Key("When it is over; this instant is outside.", "2030-12-27T00:00:00Z")]
    channels: Annotated[
        Annotated[tuple[fields.ChannelId, ...], MinLen(1)] | None,
        Key(
            "The channels it applies to. Without it: all.",
            ["alpha"],
            instead_of_null="write the channels, such as `channels: [alpha]`, or remove the line for all",
        ),
    ] = None


class SettingsSpec(Spec, frozen=True, kw_only=True):
    """What applies to all waves and channels.

    `scheduler.yaml`, and the defaults where it says nothing. Durations are in seconds.
    """

    conflicts: Annotated[
        ConflictsSpec, Key("Which publications are too close together.", {"min_gap": "5m"})
    ] = ConflictsSpec()
    catch_up: Annotated[
        fields.Duration,
        Key("How late a publication may be sent at most; any later, it counts as missed.", "15m", shown="1h"),
    ] = 3_600
    horizon: Annotated[
        fields.Duration, Key("How far ahead the slots of channels become publications.", "30d", shown="14d")
    ] = 14 * 86_400
    retry: Annotated[
        RetrySpec,
        Key(
            "How often, and how soon, a request is repeated when GitHub answers: not now.",
            {"attempts": 5, "backoff": "30s"},
        ),
    ] = RetrySpec()
    pace: Annotated[
        fields.PaceText,
        Key(
            "How fast one token may be used: that many at once, refilled evenly. `1/s`, `60/min`, `500/h`.",
            "30/min",
            shown="60/min",
        ),
    ] = Pace()
    allow: Annotated[
        tuple[fields.Allowed, ...],
        _Few,
        Key(
            "The repositories that channels may point at, as patterns. `[]` allows all.",
            ["acme/*"],
            shown=[],
            instead_of_null="write a pattern, such as `allow: [acme/*]`, or `allow: []` to allow all",
        ),
    ] = ()
    brake: Annotated[
        BrakeSpec, Key("How many live publications may disappear at once.", {"cancel_percent": 50})
    ] = BrakeSpec()
    event_type: Annotated[
        fields.EventType, Key("The `repository_dispatch` type of channels that name none.", "publish")
    ] = "process-video"
    state: Annotated[
        fields.Home,
        Key(
            "Where the state is kept: a path, or `branch:<name>` on the remote `origin`.",
            "branch:scheduler-state",
        ),
    ] = "state.json"
    lineage: Annotated[
        fields.Id | None,
        Key(
            "The lineage of the state, as `scheduler state init` prints it: any other state is refused.",
            "3f2b8c1e-6a51-4c7e-9f0d-2b1a5e8d7c43",
        ),
    ] = None
    queue: Annotated[
        fields.QueueUrl,
        Key(
            "The URL of the queue of channels without a repository; relative paths start at the repository.",
            "redis://queue.internal/0",
        ),
    ] = "sqlite:///queue.db"
    freezes: Annotated[
        tuple[Freeze, ...],
        _Few,
        Key(
            "Periods in which nothing is sent.",
            [{"reason": "Holidays", "from": "2030-12-24T00:00:00Z", "until": "2030-12-27T00:00:00Z"}],
            shown=[],
            instead_of_null="write `freezes: []` for none, or an item below it",
        ),
    ] = ()
    notify: Annotated[
        tuple[fields.Variable, ...],
        Key("NAMES of environment variables that hold notification URLs.", ["SLACK_URL"], shown=[]),
    ] = ()
