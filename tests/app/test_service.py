"""`SchedulingService`: the verbs for Python, as a notebook or the threads of a web backend call them."""

from __future__ import annotations

import enum
import functools
import math
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import Any

import pytest
from github_stand_in import Fault, GitHub
from miniature import TOKEN, Miniature

import scheduler
from scheduler import ScheduleError, SchedulingService
from scheduler.clock import Clock
from scheduler.errors import Error, StateError, StateMissing
from scheduler.times import read_time

NOW = "2026-02-25T09:00:00Z"
AT = datetime(2026, 3, 1, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


def open_service(mini: Miniature, now: str = NOW) -> SchedulingService:
    return SchedulingService(mini.root, environ=mini.environ, clock=Clock(read_time(now)))


@pytest.fixture
def service(live: Miniature) -> SchedulingService:
    return open_service(live)


# --- the door ---------------------------------------------------------------------------------------


def test_importing_the_package_imports_next_to_nothing() -> None:
    code = "import sys, scheduler; print(sorted(m for m in sys.modules if m.startswith('scheduler.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_the_package_promises_is_there_and_nothing_else() -> None:
    assert scheduler.SchedulingService is SchedulingService
    assert set(scheduler.__all__) <= set(dir(scheduler))
    exported = {name: getattr(scheduler, name) for name in scheduler.__all__ if name != "__version__"}
    assert {name: kind.__name__ for name, kind in exported.items()} == {name: name for name in exported}
    assert all(kind.__doc__ for kind in exported.values())
    errors = {name for name, kind in exported.items() if issubclass(kind, scheduler.Error)}
    assert errors == {"Error", "QueueError", "RunRefused", "ScheduleError", "StateError"}
    with pytest.raises(AttributeError, match="no attribute 'Scheduler'"):
        scheduler.Scheduler  # type: ignore[attr-defined]  # noqa: B018 - that it is not there is the point


def test_a_folder_that_is_not_there_is_told_at_once(live: Miniature) -> None:
    with pytest.raises(Error, match="is not a folder"):
        SchedulingService(live.root / "nowhere")


# --- creating ---------------------------------------------------------------------------------------


def test_members_come_in_the_order_given_with_aware_times_in_utc(service: SchedulingService) -> None:
    berlin = timezone(timedelta(hours=1))
    made = service.create_staggered_schedule(
        "premiere", ["gamma", "alpha", "beta"], AT.astimezone(berlin), 5400, wave_id="spring"
    )
    assert [(one.id, one.scheduled_at) for one in made] == [
        ("spring/premiere/gamma", AT),
        ("spring/premiere/alpha", AT + 1.5 * HOUR),
        ("spring/premiere/beta", AT + 3 * HOUR),
    ]
    assert all(one.scheduled_at.tzinfo is UTC for one in made)
    assert service.get_schedules_by_group("spring/premiere") == made
    assert service.get_schedules_by_wave("spring") == made


def test_a_wave_without_an_id_is_called_by_video_and_time(service: SchedulingService) -> None:
    first = service.create_simultaneous_schedule("teaser-4k", ["alpha"], AT)
    again = service.create_simultaneous_schedule("teaser-4k", ["beta"], AT)
    odd = service.create_simultaneous_schedule("Ünï code/ video!", ["gamma"], AT)
    assert [one.id for one in first + again + odd] == [
        "teaser-4k-20260301T180000Z/teaser-4k/alpha",
        "teaser-4k-20260301T180000Z/teaser-4k-2/beta",
        "n-code-video-20260301T180000Z/n-code-video/gamma",
    ]
    assert odd[0].video_id == "Ünï code/ video!"


def test_an_existing_wave_gets_the_entry_appended_and_keeps_its_comments(
    live: Miniature, service: SchedulingService
) -> None:
    entry = "  - { type: simultaneous, video: one, at: 2026-03-01T18:00Z, channels: [alpha] }\n"
    before = f"# the launch\nschedules: # in order\n{entry}"
    live.write({"waves/2026/spring.yaml": before})
    service.create_simultaneous_schedule(
        "two", ["alpha"], AT + HOUR, "spring", metadata={"campaign": "sun", "n": 1}
    )
    text = (live.root / "waves/2026/spring.yaml").read_text()
    assert text.startswith(before)
    assert service.get_schedules_by_wave("spring")[1].metadata == {"campaign": "sun", "n": "1"}


def test_a_group_is_created_whole_or_not_at_all(live: Miniature, service: SchedulingService) -> None:
    service.create_independent_schedule("beta", AT, "other")
    with pytest.raises(ScheduleError, match="would break a rule") as refusal:
        service.create_simultaneous_schedule("teaser", ["alpha", "beta", "gamma"], AT, "spring")
    (fault,) = refusal.value.diagnostics
    assert (fault.code, fault.location.file) == ("min-gap", "waves/spring.yaml")
    assert not (live.root / "waves/spring.yaml").exists()
    assert [one.channel_id for one in service.get_schedules()] == ["beta"]


@pytest.mark.parametrize(
    ("channels", "wave", "words"),
    [
        (["alpha", "nobody"], "spring", "would break a rule"),
        (["alpha", "alpha"], "spring", "would break a rule"),
        ([], "spring", "at least one channel"),
        (["alpha"], "../../etc/passwd", "cannot be the id of a wave"),
        (["alpha"], "a b", "cannot be the id of a wave"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    live: Miniature, service: SchedulingService, channels: list[str], wave: str, words: str
) -> None:
    with pytest.raises(ScheduleError, match=words):
        service.create_simultaneous_schedule("teaser", channels, AT, wave)
    assert list((live.root / "waves").rglob("*")) == []


def test_a_video_with_a_line_break_in_it_stays_out_of_the_file(
    live: Miniature, service: SchedulingService
) -> None:
    with pytest.raises(ScheduleError):
        service.create_simultaneous_schedule("a\nrepeat: true", ["alpha"], AT, "spring")
    assert not (live.root / "waves/spring.yaml").exists()


def test_a_naive_datetime_is_utc_and_warned_of_where_it_was_passed(service: SchedulingService) -> None:
    with pytest.warns(UserWarning, match="is naive and is taken as UTC") as warned:
        made = service.create_independent_schedule("alpha", AT.replace(tzinfo=None), "video")
    assert made.scheduled_at == AT
    assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match="naive") as warned:
        service.create_simultaneous_schedule("teaser", ["beta"], AT.replace(tzinfo=None))
    assert warned[0].filename == __file__


def test_fractions_of_a_second_are_left_out(service: SchedulingService) -> None:
    made = service.create_independent_schedule("alpha", AT + timedelta(microseconds=999_999), "video")
    assert made.scheduled_at == AT


# --- managing ---------------------------------------------------------------------------------------


@pytest.fixture
def spring(service: SchedulingService) -> SchedulingService:
    service.create_simultaneous_schedule("teaser", ["alpha", "beta"], AT, "spring")
    return service


def test_a_pause_has_a_reason_and_an_end(live: Miniature, spring: SchedulingService) -> None:
    paused = spring.pause_schedule("spring/teaser/alpha", reason="legal", until=AT - HOUR)
    assert paused.is_paused
    text = (live.root / "waves/spring.yaml").read_text()
    assert "{ id: alpha, paused: { reason: legal, until: 2026-03-01T17:00:00Z } }" in text
    assert not spring.resume_schedule("spring/teaser/alpha").is_paused


def test_what_its_channel_pauses_stays_paused_when_it_is_resumed_itself(spring: SchedulingService) -> None:
    spring.pause_schedule("spring/teaser/alpha")
    assert spring.pause_channel_schedules("alpha", reason="strike") == 1
    assert spring.resume_schedule("spring/teaser/alpha").is_paused
    assert spring.pause_channel_schedules("alpha", reason="strike") == 0, "it is paused like that already"
    assert spring.resume_channel_schedules("alpha") == 1
    assert spring.resume_channel_schedules("alpha") == 0


@pytest.mark.parametrize("name", ["wave:spring", "spring/teaser", "spring", "spring/teaser/nobody"])
def test_the_verbs_of_one_schedule_take_one_schedule(spring: SchedulingService, name: str) -> None:
    for verb in (spring.pause_schedule, spring.resume_schedule, spring.cancel_schedule, spring.get_schedule):
        with pytest.raises(ScheduleError):
            verb(name)
    assert not any(one.is_paused for one in spring.get_schedules())


def test_validation_answers_for_one_schedule_alone(live: Miniature, spring: SchedulingService) -> None:
    twin = "schedules:\n  - { type: simultaneous, video: x, at: 2026-03-01T18:00:30Z, channels: [alpha] }\n"
    live.write({"waves/twin.yaml": twin})
    clash = spring.validate_schedule("spring/teaser/alpha")
    assert not clash["valid"]
    assert clash["issues"][0].endswith("`min_gap` requires at least 1m [min-gap]")
    assert spring.validate_schedule("spring/teaser/beta") == {"valid": True, "issues": []}
    assert spring.validate_schedule("spring/teaser/nobody") == {
        "valid": False,
        "issues": ["group spring/teaser has no channel 'nobody'"],
    }


def test_a_fault_of_an_entry_is_one_of_each_of_its_schedules(
    live: Miniature, spring: SchedulingService
) -> None:
    gone = (
        "schedules:\n  - { type: simultaneous, video: x, at: 2020-03-01T18:00:00Z, channels: [alpha, beta] }"
    )
    live.write({"waves/gone.yaml": gone})
    for channel in ("alpha", "beta"):
        assert spring.validate_schedule(f"gone/x/{channel}")["issues"][0].endswith("[past]")


# --- executing --------------------------------------------------------------------------------------


def test_execution_is_a_run(live: Miniature, spring: SchedulingService, github: GitHub) -> None:
    github.repository("acme/beta").faults.append(Fault(status=422, body={"message": "no workflow"}))
    later = open_service(live, "2026-03-01T18:01:00Z")
    alpha, beta = later.execute_pending_schedules()
    assert alpha == {
        "schedule_id": "spring/teaser/alpha",
        "status": "completed",
        "phase": "public",
        "reason": None,
        "error": None,
    }
    assert (beta["status"], "422" in (beta["error"] or "")) == ("failed", True)
    assert later.execute_pending_schedules() == []
    sent = later.get_schedule("spring/teaser/alpha")
    assert (sent.attempts, sent.lateness_seconds, sent.evidence) == (1, 60, "accepted")
    assert sent.executed_at == datetime(2026, 3, 1, 18, 1, tzinfo=UTC)


def test_before_leaves_what_fell_due_later_for_another_run(
    live: Miniature, service: SchedulingService
) -> None:
    service.create_staggered_schedule("premiere", ["alpha", "beta"], AT, 600, "spring")
    later = open_service(live, "2026-03-01T18:20:00Z")
    first = later.execute_pending_schedules(before=AT + timedelta(minutes=5))
    assert [result["schedule_id"] for result in first] == ["spring/premiere/alpha"]
    second = later.execute_pending_schedules(before=AT + timedelta(days=365))
    assert [result["schedule_id"] for result in second] == ["spring/premiere/beta"]


def test_before_is_never_later_than_now(live: Miniature, spring: SchedulingService, github: GitHub) -> None:
    assert spring.execute_pending_schedules(before=AT + timedelta(days=1)) == []
    assert github.dispatches == []


def test_a_lost_state_is_never_taken_for_an_empty_one(live: Miniature, spring: SchedulingService) -> None:
    (live.root / "state.json").unlink()
    with pytest.raises(StateMissing):
        spring.execute_pending_schedules()
    assert len(spring.get_schedules()) == 2, "queries show what is declared"


def test_broken_settings_and_states_are_errors_of_the_tree(
    live: Miniature, spring: SchedulingService
) -> None:
    live.write({"scheduler.yaml": "catch_up: soon\n"})
    with pytest.raises(ScheduleError) as refusal:
        spring.execute_pending_schedules()
    assert [fault.code for fault in refusal.value.diagnostics] == ["invalid-value"]
    live.remove("scheduler.yaml")
    live.write({"state.json": "{"})
    with pytest.raises(StateError):
        spring.get_schedules()


def test_problems_are_logged_and_tokens_never(
    live: Miniature, spring: SchedulingService, github: GitHub, caplog: pytest.LogCaptureFixture
) -> None:
    live.write({"waves/broken.yaml": "schedules: 5\n"})
    open_service(live, "2026-03-01T18:01:00Z").execute_pending_schedules()
    assert "waves/broken.yaml:1:12" in caplog.text
    assert len(github.dispatches) == 2
    assert TOKEN not in caplog.text


# --- retrying ---------------------------------------------------------------------------------------


def test_update_writes_a_retry_a_video_and_a_time_and_nothing_else(
    live: Miniature, spring: SchedulingService, github: GitHub
) -> None:
    github.repository("acme/alpha").faults.append(Fault(status=422))
    later = open_service(live, "2026-03-01T18:01:00Z")
    later.execute_pending_schedules()
    (failed,) = later.schedule_repo.get_all(status="failed")
    assert later.schedule_repo.update(failed) == failed

    failed.channel_id = "beta"
    failed.status = "pending"
    with pytest.raises(ScheduleError, match="channel_id of spring/teaser/alpha cannot be changed here"):
        later.schedule_repo.update(failed)
    failed.channel_id = "alpha"
    assert later.schedule_repo.update(failed).status == "pending"

    one_off = later.create_independent_schedule("alpha", AT + 3 * HOUR, "intro")
    one_off.video_id, one_off.scheduled_at = "outro", AT + 5 * HOUR
    written = later.schedule_repo.update(one_off)
    assert (written.id, written.video_id) == ("alpha/2026-03-01T23:00:00Z", "outro")
    written.status = "failed"
    with pytest.raises(ScheduleError, match="status of alpha/2026-03-01T23:00:00Z cannot be changed here"):
        later.schedule_repo.update(written)


def test_a_loop_that_retries_reaches_what_comes_after_one_that_cannot_be(
    live: Miniature, github: GitHub, caplog: pytest.LogCaptureFixture
) -> None:
    service = open_service(live)
    service.create_independent_schedule("alpha", AT)
    service.create_independent_schedule("beta", AT + HOUR, "teaser")
    github.repository("acme/beta").faults.append(Fault(status=422))
    for now in ("2026-03-01T18:00:00Z", "2026-03-01T19:00:00Z"):
        open_service(live, now).execute_pending_schedules()
    later = open_service(live, "2026-03-01T19:30:00Z")
    failed = later.schedule_repo.get_all(status="failed")
    assert [schedule.reason for schedule in failed] == ["no_video", "rejected"]
    for schedule in failed:
        schedule.status = "pending"
    assert [later.schedule_repo.update(schedule).status for schedule in failed] == ["failed", "pending"]
    assert caplog.messages[-1] == (
        f"{failed[0].id} still has no video; run `scheduler assign {failed[0].id} VIDEO`"
    )


def test_what_may_have_been_published_is_only_sent_again_on_purpose(
    live: Miniature, spring: SchedulingService, github: GitHub, caplog: pytest.LogCaptureFixture
) -> None:
    github.repository("acme/alpha").faults.append(Fault(status=500))
    github.repository("acme/alpha").runs_per_dispatch = 0
    for now in ("2026-03-01T18:00:00Z", "2026-03-01T18:16:00Z"):
        open_service(live, now).execute_pending_schedules()
    later = open_service(live, "2026-03-01T18:20:00Z")
    (failed,) = later.get_schedules(status="failed")
    assert failed.reason == "unknown_outcome"
    failed.status = "pending"
    assert later.schedule_repo.update(failed).status == "failed"
    assert f"run `scheduler retry {failed.id} --resend`" in caplog.text
    with pytest.raises(ScheduleError, match="may have been published"):
        later.retry_schedule(failed.id)
    assert later.retry_schedule(failed.id, resend=True).status == "pending"


# --- changing ---------------------------------------------------------------------------------------


def test_a_slot_and_a_one_off_get_their_video_and_a_member_gets_another_time(
    live: Miniature, spring: SchedulingService
) -> None:
    open_one = spring.create_independent_schedule("gamma", AT + 2 * HOUR)
    assert spring.assign_video(open_one.id, "intro").video_id == "intro"
    assert spring.move_schedule(open_one.id, AT + 3 * HOUR).id == "gamma/2026-03-01T21:00:00Z"
    moved = spring.move_schedule("spring/teaser/alpha", AT + HOUR)
    assert (moved.id, moved.scheduled_at) == ("spring/teaser/alpha", AT + HOUR)
    with pytest.raises(ScheduleError, match="is not a slot or a one-off of a channel"):
        spring.assign_video("spring/teaser/alpha", "outro")
    with pytest.raises(ScheduleError, match="is a wave, not a single publication"):
        spring.move_schedule("wave:spring", AT)


def test_a_video_is_published_again_soon_where_that_is_said_to_be_meant(
    live: Miniature, spring: SchedulingService
) -> None:
    with pytest.raises(ScheduleError, match="teaser"):
        spring.create_independent_schedule("alpha", AT + 2 * HOUR, "teaser")
    again = spring.create_independent_schedule("alpha", AT + 2 * HOUR, "teaser", repeat=True)
    assert again.video_id == "teaser"
    (third,) = spring.create_simultaneous_schedule("teaser", ["alpha"], AT + 4 * HOUR, "more", repeat=True)
    assert third.wave_id == "more"
    assert "repeat: true" in (live.root / "waves/more.yaml").read_text()


# --- querying ---------------------------------------------------------------------------------------


def test_a_range_begins_with_its_start_and_ends_before_its_end(spring: SchedulingService) -> None:
    assert len(spring.get_schedules_by_date_range(AT, AT + HOUR)) == 2
    assert spring.get_schedules_by_date_range(AT - HOUR, AT) == []
    assert [one.channel_id for one in spring.get_schedules_by_date_range(AT, AT + HOUR, "beta")] == ["beta"]


def test_queries_show_what_the_next_run_would_record_but_no_open_slots(
    live: Miniature, spring: SchedulingService
) -> None:
    live.write({"channels/daily.yaml": "queue: q\nslots: [18:00]\nlineup: [one]\n"})
    assert [(one.video_id, one.recorded) for one in spring.get_schedules_by_channel("daily")] == [
        ("one", False)
    ]
    late = open_service(live, "2026-03-01T20:00:00Z").get_schedules_by_wave("spring")[0]
    assert (late.status, late.reason, late.recorded) == ("failed", "missed", False)


def test_nobody_knows_what_is_not_there(service: SchedulingService) -> None:
    assert service.get_schedules_by_wave("nothing") == []
    with pytest.raises(ScheduleError, match="wave 'nothing' is not declared"):
        service.get_schedule("nothing/at/all")


# --- arguments of a wrong kind ----------------------------------------------------------------------


class NoOffset(tzinfo):
    """A zone that has no offset for any time."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    dst = tzname = utcoffset


class Video(enum.Enum):
    TEASER = "teaser"


class Channel(str, enum.Enum):  # noqa: UP042 - the older kind, whose `str` is the member's name
    ALPHA = "alpha"


def nested(levels: int) -> Any:
    value: Any = "text"
    for _ in range(levels):
        value = {"a": value}
    return value


def kind_and_words(value: object) -> str:
    """How a case is called: some of these values cannot be shown."""
    return value if isinstance(value, str) else type(value).__name__


CYCLE: dict[str, Any] = {}
CYCLE["again"] = [CYCLE]
WIDE: Any = "text"
for _ in range(30):
    WIDE = [WIDE, WIDE]
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


def create_each(service: SchedulingService, **arguments: Any) -> Iterator[Callable[[], object]]:
    """Each way to create that takes these arguments, the others being right ones."""
    group = {"video_id": "teaser", "channel_ids": ["alpha", "beta"], "wave_id": "spring", "metadata": None}
    ways: list[tuple[Callable[..., object], dict[str, Any]]] = [
        (service.create_simultaneous_schedule, {**group, "scheduled_at": AT}),
        (service.create_staggered_schedule, {**group, "start_time": AT, "delay_seconds": 60}),
        (
            service.create_independent_schedule,
            {"channel_id": "alpha", "scheduled_at": AT, "video_id": "teaser", "metadata": None},
        ),
    ]
    for create, right in ways:
        if arguments.keys() <= right.keys():
            yield functools.partial(create, **{**right, **arguments})


def written(mini: Miniature) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in mini.root.rglob("*") if path.suffix in (".yaml", ".json")
    }


def refuse_each(mini: Miniature, service: SchedulingService, words: str, **arguments: Any) -> None:
    """No way to create takes these arguments, and none leaves a trace."""
    before, tried = written(mini), 0
    for create in create_each(service, **arguments):
        with pytest.raises(ScheduleError) as refusal:
            create()
        assert words in str(refusal.value)
        tried += 1
    assert tried > 0
    assert written(mini) == before


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"a": object()}, "metadata['a'] must be a string, a number, True"),
        ({"a": b"bytes"}, ", not bytes"),
        ({"a": (n for n in range(3))}, ", not generator"),
        ({"a": {"b": [0, date(2026, 3, 1)]}}, "metadata['a']['b'][1] must be"),
        ({"a": {1}}, ", not set"),
        ({1: "a"}, "every key of metadata must be a string, not int"),
        ({"a": {None: 1}}, "every key of metadata['a'] must be a string, not None"),
        ({"a": math.nan}, "metadata['a'] is not a number in JSON"),
        ({"a": [-math.inf]}, "metadata['a'][0] is not a number in JSON"),
        ({"a": 10**5_000}, "metadata['a'] has too many digits"),
        (CYCLE, "metadata['again'][0] contains itself"),
        (nested(5_000), "nested deeper than 32 levels"),
        (nested(31), "nested deeper than 32 levels"),
        ({"a": WIDE}, "has more than 65,535 values"),
        ({"a": "x" * 70_000}, "the metadata is too long"),
        ({"a": "\ud800"}, "half a character"),
        ({"a": "\0"}, "hidden character U+0000"),
        (["campaign"], "metadata must be a mapping, not list"),
        ([], "metadata must be a mapping"),
        ("campaign", "metadata must be a mapping, not str"),
        ("", "metadata must be a mapping"),
        (False, "metadata must be a mapping"),
    ],
    ids=kind_and_words,
)
def test_metadata_that_json_cannot_say_is_refused(
    live: Miniature, service: SchedulingService, metadata: Any, words: str
) -> None:
    refuse_each(live, service, words, metadata=metadata)


def test_scalars_of_metadata_become_texts_as_in_a_file(service: SchedulingService) -> None:
    told = {
        "n": 1,
        "half": 0.5,
        "yes": True,
        "none": None,
        "list": (1, [2]),
        "in": MappingProxyType({"a": 1}),
    }
    made = service.create_independent_schedule("alpha", AT, "teaser", metadata=told)
    texts = {"n": "1", "half": "0.5", "yes": "true", "none": "null", "list": ["1", ["2"]], "in": {"a": "1"}}
    assert made.metadata == texts


def test_a_list_that_metadata_holds_twice_is_no_cycle(service: SchedulingService) -> None:
    both = ["a"]
    made = service.create_independent_schedule("alpha", AT, "teaser", metadata={"x": both, "y": both})
    assert made.metadata == {"x": ["a"], "y": ["a"]}


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ("alpha", "channel_ids must be a list of strings, not the string 'alpha'"),
        ("", ", not the string ''"),
        (b"alpha", ", not bytes"),
        (None, "channel_ids must be a list of strings, not None"),
        (5, ", not int"),
        ({"alpha": 1}, ", not dict"),
        ({"alpha", "beta"}, ", not set"),
        ((name for name in ["alpha"]), ", not generator"),
        ([None], "channel_ids[0] must be a string, not None"),
        (["alpha", {"id": "beta"}], "channel_ids[1] must be a string, not dict"),
        ([["alpha"]], ", not list"),
        ([7], ", not int"),
        (["\ud800"], "half a character"),
    ],
)
def test_channels_are_a_list_of_texts(
    live: Miniature, service: SchedulingService, channels: Any, words: str
) -> None:
    refuse_each(live, service, words, channel_ids=channels)


def test_a_single_channel_is_shown_as_the_list_to_write(service: SchedulingService) -> None:
    with pytest.raises(ScheduleError) as refusal:
        service.create_simultaneous_schedule("teaser", "alpha", AT)
    assert refusal.value.hint == 'pass ["alpha"]'


def test_an_enumeration_of_texts_counts_as_its_values(service: SchedulingService) -> None:
    (made,) = service.create_simultaneous_schedule("teaser", (Channel.ALPHA,), AT, "spring")
    assert made.id == "spring/teaser/alpha"


@pytest.mark.parametrize("wrong", [uuid.UUID(int=7), 7, b"teaser", ["teaser"], Video.TEASER, True])
@pytest.mark.parametrize("name", ["video_id", "wave_id", "channel_id"])
def test_an_id_is_a_text(live: Miniature, service: SchedulingService, name: str, wrong: Any) -> None:
    refuse_each(live, service, f"{name} must be a string, not", **{name: wrong})


def test_only_a_publication_of_one_channel_can_be_without_a_video(
    live: Miniature, service: SchedulingService
) -> None:
    refuse_each(live, service, "video_id must be a string, not None", video_id=None, channel_ids=["alpha"])
    assert service.create_independent_schedule("alpha", AT, None).video_id is None


@pytest.mark.parametrize("name", ["scheduled_at", "start_time"])
@pytest.mark.parametrize(
    ("time", "words"),
    [
        (None, "must be a datetime, not None"),
        (date(2026, 3, 1), "must be a datetime, not date"),
        ("2026-03-01T18:00:00Z", "must be a datetime, not str"),
        (AT.timestamp(), "must be a datetime, not float"),
        (datetime.min.replace(tzinfo=EAST), "cannot be converted to UTC"),
        (datetime.max.replace(tzinfo=WEST), "cannot be converted to UTC"),
        (AT.replace(tzinfo=NoOffset()), "its tzinfo has no offset for it"),
        (datetime.min.replace(tzinfo=UTC), "outside the years 1971 to 2998"),
        (datetime.max.replace(tzinfo=UTC), "outside the years 1971 to 2998"),
    ],
)
def test_a_time_is_a_datetime_of_these_centuries(
    live: Miniature, service: SchedulingService, name: str, time: Any, words: str
) -> None:
    refuse_each(live, service, words, **{name: time})


@pytest.mark.parametrize(
    ("delay", "words"),
    [
        (math.inf, "not inf"),
        (math.nan, "not nan"),
        (0.5, "not 0.5"),
        ("60", "delay_seconds must be a whole number of seconds, not str"),
        (None, "delay_seconds must be a whole number of seconds, not None"),
        (True, "delay_seconds must be a whole number of seconds, not bool"),
        (timedelta(minutes=1), "delay_seconds must be a whole number of seconds, not timedelta"),
        (-60, "delay_seconds must not be negative"),
        (-(10**5_000), "delay_seconds must not be negative"),
        (10**5_000, "delay_seconds is more than ten years"),
        (1e300, "delay_seconds is more than ten years"),
    ],
    ids=kind_and_words,
)
def test_a_delay_is_a_number_of_whole_seconds(
    live: Miniature, service: SchedulingService, delay: Any, words: str
) -> None:
    refuse_each(live, service, words, delay_seconds=delay)


def test_the_seconds_of_a_timedelta_are_a_delay(service: SchedulingService) -> None:
    pair = ["alpha", "beta"]
    made = service.create_staggered_schedule("teaser", pair, AT, HOUR.total_seconds())  # type: ignore[arg-type]
    assert made[1].scheduled_at == AT + HOUR


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda s: s.get_schedules("nonsense"),
            "must be one of pending, scheduled, executing, completed, failed, cancelled, not 'nonsense'",
        ),
        (lambda s: s.get_schedules_by_channel("alpha", "PENDING"), "cancelled, not 'PENDING'"),
        (lambda s: s.get_schedules(""), "cancelled, not ''"),
        (lambda s: s.get_schedules(["pending"]), "status must be a string"),
        (lambda s: s.schedule_repo.get_all("done"), "cancelled, not 'done'"),
        (lambda s: s.get_schedules_by_channel(None), "channel_id must be a string"),
        (lambda s: s.get_schedules_by_wave(["spring"]), "wave_id must be a string"),
        (lambda s: s.get_schedules_by_group({}), "coordination_group_id must be a string"),
        (lambda s: s.get_schedules_by_date_range(AT, "2026-03-02"), "end_date must be a datetime"),
        (lambda s: s.get_schedules_by_date_range(AT, AT, ["alpha"]), "channel_id must be a string"),
        (lambda s: s.get_schedule(None), "schedule_id must be a string"),
        (lambda s: s.validate_schedule(5), "schedule_id must be a string"),
        (lambda s: s.pause_schedule(None), "schedule_id must be a string"),
        (lambda s: s.pause_schedule("spring/teaser/alpha", reason=5), "reason must be a string"),
        (lambda s: s.pause_schedule("spring/teaser/alpha", until="tomorrow"), "until must be a datetime"),
        (lambda s: s.resume_schedule(b"spring/teaser/alpha"), "schedule_id must be a string"),
        (lambda s: s.cancel_schedule(("spring/teaser/alpha",)), "schedule_id must be a string"),
        (lambda s: s.pause_channel_schedules(None), "channel_id must be a string"),
        (lambda s: s.pause_channel_schedules("alpha", {"why": "legal"}), "reason must be a string"),
        (lambda s: s.resume_channel_schedules(None), "channel_id must be a string"),
        (lambda s: s.retry_schedule(5), "schedule_id must be a string"),
        (lambda s: s.retry_schedule("spring/teaser/alpha", "no"), "resend must be True or False"),
        (lambda s: s.execute_pending_schedules("now"), "before must be a datetime"),
        (lambda s: s.schedule_repo.update("spring/teaser/alpha"), "not a str"),
    ],
)
def test_every_other_method_refuses_a_wrong_kind_of_argument(
    live: Miniature, spring: SchedulingService, call: Callable[[Any], object], words: str
) -> None:
    before = written(live)
    with pytest.raises(ScheduleError) as refusal:
        call(spring)
    assert words in str(refusal.value)
    assert written(live) == before


def test_a_status_in_capitals_gets_the_right_one_as_its_hint(service: SchedulingService) -> None:
    with pytest.raises(ScheduleError) as refusal:
        service.get_schedules("PENDING")  # type: ignore[arg-type]
    assert refusal.value.hint == "did you mean pending?"


def test_an_error_that_is_printed_says_what_to_do_as_well(spring: SchedulingService) -> None:
    with pytest.raises(ScheduleError) as refusal:
        spring.get_schedules("PENDING")  # type: ignore[arg-type]
    assert str(refusal.value) == f"{refusal.value.message}; did you mean pending?"


def test_a_refused_edit_that_is_printed_has_the_hint_of_each_broken_rule(spring: SchedulingService) -> None:
    with pytest.raises(ScheduleError) as refusal:
        spring.create_independent_schedule("alpha", AT + timedelta(seconds=30), "another")
    fault = refusal.value.diagnostics[0]
    assert fault.hint is not None
    assert str(refusal.value).splitlines()[1:3] == [f"  {fault}", f"    hint: {fault.hint}"]


def test_the_result_of_a_run_carries_the_reason_of_a_failure(
    live: Miniature, spring: SchedulingService
) -> None:
    (result, *_) = open_service(live, "2026-03-02T18:00:00Z").execute_pending_schedules()
    assert (result["status"], result["reason"]) == ("failed", "missed")


# --- threads ----------------------------------------------------------------------------------------


def test_one_service_serves_many_threads(live: Miniature, service: SchedulingService, github: GitHub) -> None:
    service.create_simultaneous_schedule("teaser", ["alpha", "beta", "gamma"], AT, "spring")
    later = open_service(live, "2026-03-01T18:00:00Z")
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            later.execute_pending_schedules()
            later.create_independent_schedule("alpha", AT + (number + 1) * 24 * HOUR, f"video-{number}")
            later.get_schedules_by_channel("alpha")
        except BaseException as fault:  # noqa: BLE001 - the test's own thread raises it
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(github.dispatches) == 3, "each publication went out once"
    assert len(later.get_schedules_by_channel("alpha")) == 7
