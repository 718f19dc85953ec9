"""How pydantic reads the specs, and the rules about several keys.

`specs` declares the keys; here pydantic learns to make specs of them, and what they say together. A rule is
registered with the key at which its fault is reported. Keys are read in the order of their declaration, and a
rule sees the keys above its own that had no fault (`info.data`), so that a fault in one key never makes a
second one in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from scheduler.desired import fields, specs
from scheduler.desired.fields import CHANNEL_ZONE, context_of, fault
from scheduler.desired.keys import DeclaredKey, keys_of
from scheduler.desired.plain import is_nothing
from scheduler.desired.specs import MemberSpec, Spec
from scheduler.desired.transports import TRANSPORTS, Transport
from scheduler.times import available_zones

HIDDEN: Final = "\ufffd"
"""What the reader puts in the place of a character that may not be in a value."""

# --- specs as pydantic reads them -------------------------------------------------------------------

S = TypeVar("S", bound=Spec)
Rule = Callable[[Any, ValidationInfo], Any]
_RULES: Final[dict[tuple[type[Spec], str], Rule]] = {}


def rule(spec: type[Spec], *names: str) -> Callable[[Rule], Rule]:
    """Register a rule: it gets the value of a key, None where a derived one is not there, and returns one."""

    def register(function: Rule) -> Rule:
        _RULES.update({(spec, name): function for name in names})
        return function

    return register


@cache
def adapter(spec: type[S]) -> TypeAdapter[S]:
    """What reads the root of a file. Made when the first file of its kind is read."""
    return TypeAdapter(spec)


def core_schema_of(spec: type[Spec], handler: GetCoreSchemaHandler) -> CoreSchema:
    """How pydantic reads a mapping: key by key, into a spec."""
    keys = keys_of(spec)
    helping = [key.field for key in keys if not key.is_kept]

    def build(values: dict[str, Any]) -> Spec:
        for name in helping:
            values.pop(name, None)
        return spec(**values)

    may_be_null = frozenset(key.name for key in keys if not key.is_required and not key.key.instead_of_null)

    def without_nulls(data: Any) -> Any:
        if isinstance(data, dict) and any(map(is_nothing, data.values())):
            return {k: v for k, v in data.items() if not (is_nothing(v) and k in may_be_null)}
        return data

    mapping = core_schema.typed_dict_schema(
        {key.field: _field(spec, key, handler) for key in keys}, extra_behavior="forbid"
    )
    schema = core_schema.no_info_before_validator_function(
        without_nulls, core_schema.no_info_after_validator_function(build, mapping)
    )
    if spec is specs.EntrySpec:
        return core_schema.with_info_before_validator_function(_set_context, schema)
    return schema


def _field(spec: type[Spec], key: DeclaredKey, handler: GetCoreSchemaHandler) -> core_schema.TypedDictField:
    schema = handler.generate_schema(key.kind)
    if key.key.derived:
        schema = core_schema.nullable_schema(schema)
    if found := _RULES.get((spec, key.field)):
        schema = core_schema.with_info_after_validator_function(found, schema)
    if not key.is_required:
        schema = core_schema.with_default_schema(
            schema, default=key.default, validate_default=key.key.derived
        )
    alias = key.name if key.name != key.field else None
    return core_schema.typed_dict_field(schema, required=key.is_required, validation_alias=alias)


def known_zone(zone: object) -> str | None:
    """The zone that a `timezone:` names, or None where it names none (reported elsewhere)."""
    known = isinstance(zone, str) and (zone == CHANNEL_ZONE or zone in available_zones())
    return str(zone) if known else None


def _set_context(data: Any, info: ValidationInfo) -> Any:
    """Let the values inside an entry know its type and its zone."""
    if isinstance(data, dict):
        context = context_of(info)
        kind, zone = data.get("type"), data.get("timezone")
        context.entry_type = kind if isinstance(kind, str) else None
        context.zone = known_zone(zone) if zone is not None else None
    return data


# --- rules of waves ---------------------------------------------------------------------------------


@rule(MemberSpec, "shift")
def _only_in_a_stagger(shift: int, info: ValidationInfo) -> int:
    if context_of(info).entry_type == "simultaneous":
        raise fault(
            "`shift` moves the channels of a staggered entry; this one is simultaneous",
            "write the time itself with `at:`",
        )
    if info.data.get("at") is not None:
        raise fault("a channel has either `at` or `shift`, not both", "remove one of the two")
    return shift


@rule(specs.EntrySpec, "group")
def _group_or_video(group: str | None, info: ValidationInfo) -> str | None:
    video = info.data.get("video")
    if group is not None or video is None or fields.is_id(video):
        return group or video
    if HIDDEN in video:  # the reader has reported it: one fault is one error
        return str(video).replace(HIDDEN, "-")
    message = "`group` is missing: the video's id is not a valid name for the entry"
    raise fault(message, "add a line such as `group: teaser`", code="missing-key", missing=("group",))


@rule(specs.EntrySpec, "timezone")
def _each_channel_at_once(zone: str, info: ValidationInfo) -> str:
    if zone == CHANNEL_ZONE and info.data.get("type") == "staggered":
        message = "`timezone: channel` needs a simultaneous entry: each zone would change the order"
        raise fault(message, "write an IANA name, such as Europe/Berlin, or `type: simultaneous`")
    return zone


@rule(specs.EntrySpec, "at")
def _local_to_each_channel(at: int | str, info: ValidationInfo) -> int | str:
    if info.data.get("timezone") == CHANNEL_ZONE and not isinstance(at, str):
        message = "with `timezone: channel`, `at` must be a local time; this one has an offset"
        raise fault(message, "leave out the offset: 2030-03-01T18:00 means 18:00 in each channel's own zone")
    return at


@rule(specs.EntrySpec, "after_success")
def _one_after_the_other(after_success: bool, info: ValidationInfo) -> bool:
    if after_success and info.data.get("type") == "simultaneous":
        message = "`after_success` needs a staggered entry; this one is simultaneous"
        raise fault(message, "remove the line, or write `type: staggered` and a `delay`")
    return after_success


@rule(specs.EntrySpec, "delay")
def _delay_of_a_stagger(delay: int | None, info: ValidationInfo) -> int:
    kind = info.data.get("type")
    if delay is not None and kind == "simultaneous":
        message = "`delay` needs a staggered entry; this one is simultaneous"
        raise fault(message, "remove the line, or write `type: staggered`")
    if delay is None and kind == "staggered" and info.data.get("after_success") is False:
        raise fault(
            "`delay` is missing: the time from each channel to the next",
            "add a line such as `delay: 1h`",
            code="missing-key",
            missing=("delay",),
        )
    return delay or 0


@rule(specs.EntrySpec, "members")
def _members_of_channels(members: tuple[MemberSpec, ...], info: ValidationInfo) -> tuple[MemberSpec, ...]:
    faults = list(_misplaced(members, info.data.get("channels"))) if members else []
    if faults:
        raise ValidationError.from_exception_data("members", faults)
    return members


def _misplaced(members: Sequence[MemberSpec], channels: object) -> Iterator[InitErrorDetails]:
    """Lines in `members` that are there twice, or are about no channel of the list."""
    listed = {member.id for member in channels} if isinstance(channels, tuple) else None
    settled = {m.id for m in channels if not specs.is_bare(m)} if isinstance(channels, tuple) else set()
    seen: set[str] = set()
    for i, member in enumerate(members):
        problem = None
        if member.id in seen:
            problem = fault(
                f"{member.id!r} is listed twice in `members`", "keep one of the two", code="duplicate-id"
            )
        elif member.id in settled:
            problem = fault(
                f"{member.id!r} already has a line of its own in `channels`", "keep one of the two"
            )
        elif listed is not None and member.id not in listed:
            hint = "add it to `channels`, or remove this line"
            problem = fault(f"{member.id!r} is not among the `channels` of this entry", hint)
        seen.add(member.id)
        if problem is not None:
            yield InitErrorDetails(type=problem, loc=(i, "id"), input=member.id)  # type: ignore[typeddict-item]  # fault() makes pydantic's own


# --- rules of channels ------------------------------------------------------------------------------


@rule(specs.ChannelSpec, "name")
def _name_or_stem(name: str | None, info: ValidationInfo) -> str:
    return name or context_of(info).stem


@rule(specs.ChannelSpec, "transport")
def _dispatch_needs_a_repository(transport: Transport, info: ValidationInfo) -> Transport:
    # A faulty repository is not in the data at all; one that is not there is, as None.
    if TRANSPORTS[transport].names_workflow and info.data.get("repository", "faulty") is None:
        message = f"`repository` is missing: `transport: {transport}` starts a workflow there"
        hint = "add a line such as `repository: acme/tech-daily`"
        raise fault(message, hint, code="missing-key", missing=("repository",))
    return transport


@rule(specs.ChannelSpec, "workflow")
def _workflow_to_start(workflow: str | None, info: ValidationInfo) -> str | None:
    transport = info.data.get("transport")  # not in the data where it is faulty
    traits = None if transport is None else TRANSPORTS[transport]
    if workflow is None and traits is not None and traits.names_workflow:
        message = f"`workflow` is missing: `transport: {transport}` starts it by name"
        hint = "add a line such as `workflow: publish.yml`"
        raise fault(message, hint, code="missing-key", missing=("workflow",))
    if workflow is not None and traits is not None and not traits.names_workflow:
        by_name = next(name for name, other in TRANSPORTS.items() if other.names_workflow)
        message = (
            f"`workflow` needs `transport: {by_name}`; an event starts every workflow that listens to it"
        )
        raise fault(message, f"remove the line, or add `transport: {by_name}`")
    return workflow


@rule(specs.ChannelSpec, "retract")
def _another_event(retract: str, info: ValidationInfo) -> str:
    transport = info.data.get("transport")  # not in the data where it is faulty
    by_event = next(name for name, traits in TRANSPORTS.items() if traits.can_retract)
    if info.data.get("repository", "faulty") is None:
        raise fault(
            "`retract` needs a `repository`: a job on a queue is taken back by itself", "remove the line"
        )
    if transport is not None and not TRANSPORTS[transport].can_retract:
        message = f"`retract` needs `transport: {by_event}`; with {transport} nothing can be taken back"
        raise fault(message, f"remove the line, or write `transport: {by_event}`")
    if retract == info.data.get("event_type"):
        message = f"`retract` is the same as `event_type`: {retract} would publish what it is to take back"
        raise fault(message, "write another event type, such as `retract: retract-video`")
    return retract


@rule(specs.ChannelSpec, "queue")
def _repository_or_queue(queue: str | None, info: ValidationInfo) -> str | None:
    if info.data.get("repository") is not None:
        return None if queue is None else _without_a_repository(queue, info)
    is_faulty = not {"repository", "transport", "command"} <= info.data.keys()
    if queue is None and not is_faulty and info.data["command"] is None:
        name, hint = context_of(info).stem, "add a line such as `repository: acme/tech-daily`"
        message = f"channel {name} has no `repository`, `command` or `queue`: nothing can publish it"
        raise fault(message, hint, code="missing-key", missing=("repository", "command", "queue"))
    return queue or specs.DEFAULT_QUEUE


@rule(specs.ChannelSpec, "command")
def _without_a_repository(value: str, info: ValidationInfo) -> str:
    if info.data.get("repository") is not None:
        message = "is for channels without a repository; this one has a `repository`"
        raise fault(message, "remove one of the two lines", key=True)
    return value


# --- rules of settings ------------------------------------------------------------------------------


@rule(specs.Freeze, "until")
def _ends_after_it_begins(until: int, info: ValidationInfo) -> int:
    if until <= info.data.get("from_", until - 1):
        raise fault("the freeze ends before it begins", "write an `until` that is later than `from`")
    return until
