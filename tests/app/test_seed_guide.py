"""The guide to scheduling and coordination, section by section, its names unchanged.

The guide was written for a service over a database. Here a repository stands where its database session
stood (`db`), and everything else is as the guide says, naive datetimes included.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from github_stand_in import Fault, GitHub
from miniature import Miniature

from scheduler import ScheduleError, SchedulingService
from scheduler.clock import Clock

pytestmark = [
    pytest.mark.filterwarnings("ignore:the datetime .* is naive:UserWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]
CHANNELS = ("channel-1", "channel-2", "channel-3", "channel-uuid")
logger = logging.getLogger(__name__)


def utcnow() -> datetime:
    """What the guide writes."""
    return datetime.utcnow()  # noqa: DTZ003, TID251 - the guide's own words


class Desk:
    """A repository with four channels on a server that behaves as GitHub does."""

    def __init__(self, mini: Miniature, github: GitHub) -> None:
        self.mini = mini
        self.github = github
        for name in CHANNELS:
            github.repository(f"acme/{name}")
        mini.environ["GITHUB_API_URL"] = github.url
        mini.channels(*CHANNELS)
        mini.run("state", "init")

    @property
    def root(self) -> Path:
        return self.mini.root

    def service(self, later: timedelta = timedelta()) -> SchedulingService:
        """The service as it is used, or as it will be used some time later."""
        start = int(time.time() + later.total_seconds())  # noqa: TID251 - the guide lives in the present
        return SchedulingService(self.root, environ=self.mini.environ, clock=Clock(start))


@pytest.fixture
def desk(mini: Miniature, github: GitHub) -> Desk:
    return Desk(mini, github)


@pytest.fixture
def service(desk: Desk) -> SchedulingService:
    return desk.service()


# --- Schedule Types ---------------------------------------------------------------------------------


def test_simultaneous_publication(service: SchedulingService) -> None:
    schedules = service.create_simultaneous_schedule(
        video_id="video-uuid",
        channel_ids=["channel-1", "channel-2", "channel-3"],
        scheduled_at=utcnow() + timedelta(hours=1),
        wave_id="wave-123",  # Optional
    )

    assert len(schedules) == 3
    assert len({schedule.scheduled_at for schedule in schedules}) == 1
    assert [schedule.channel_id for schedule in schedules] == ["channel-1", "channel-2", "channel-3"]
    assert {schedule.schedule_type for schedule in schedules} == {"simultaneous"}


def test_staggered_publication(service: SchedulingService) -> None:
    start = utcnow() + timedelta(hours=1)
    schedules = service.create_staggered_schedule(
        video_id="video-uuid",
        channel_ids=["channel-1", "channel-2", "channel-3"],
        start_time=start,
        delay_seconds=3600,  # 1 hour delay between channels
        wave_id="wave-123",  # Optional
    )

    first = start.replace(microsecond=0, tzinfo=UTC)
    assert [schedule.scheduled_at - first for schedule in schedules] == [
        timedelta(hours=0),
        timedelta(hours=1),
        timedelta(hours=2),
    ]


def test_independent_schedule(service: SchedulingService) -> None:
    schedule = service.create_independent_schedule(
        channel_id="channel-uuid",
        scheduled_at=utcnow() + timedelta(hours=2),
        video_id="video-uuid",  # Optional, can be assigned later
    )

    assert schedule.id.startswith("channel-uuid/")
    assert schedule.schedule_type == "independent"


def test_an_independent_schedule_gets_its_video_later(service: SchedulingService) -> None:
    schedule = service.create_independent_schedule("channel-uuid", utcnow() + timedelta(hours=2))
    assert (schedule.video_id, schedule.status) == (None, "pending")


# --- Conflict Detection -----------------------------------------------------------------------------


def test_the_same_video_on_the_same_channel_twice(service: SchedulingService) -> None:
    at = utcnow() + timedelta(hours=1)
    service.create_simultaneous_schedule("video-uuid", ["channel-1"], at)
    with pytest.raises(ScheduleError) as refusal:
        service.create_simultaneous_schedule("video-uuid", ["channel-1"], at + timedelta(hours=1))
    assert [fault.code for fault in refusal.value.diagnostics] == ["repeat-video"]


def test_schedules_within_one_minute_are_conflicts(service: SchedulingService) -> None:
    at = utcnow() + timedelta(hours=1)
    service.create_independent_schedule("channel-1", at, "one-video")
    with pytest.raises(ScheduleError) as refusal:
        service.create_independent_schedule("channel-1", at + timedelta(seconds=59), "another-video")
    assert [fault.code for fault in refusal.value.diagnostics] == ["min-gap"]
    service.create_independent_schedule("channel-1", at + timedelta(seconds=60), "another-video")


def test_publications_in_the_past_cannot_be_scheduled(service: SchedulingService) -> None:
    with pytest.raises(ValueError, match="would break a rule") as refusal:
        service.create_simultaneous_schedule("video-uuid", ["channel-1"], utcnow() - timedelta(hours=1))
    assert isinstance(refusal.value, ScheduleError)
    assert [fault.code for fault in refusal.value.diagnostics] == ["past"]


def test_validate_a_schedule(service: SchedulingService, desk: Desk) -> None:
    schedule = service.create_independent_schedule("channel-1", utcnow() + timedelta(hours=1), "video-uuid")

    validation = service.validate_schedule(schedule.id)
    assert validation["valid"], validation["issues"]

    desk.mini.channels("channel-1", active="false")  # somebody edits a file by hand
    file = desk.root / "channels" / "channel-1.yaml"
    at = schedule.scheduled_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    file.write_text(f"{file.read_text()}schedules:\n  - {{ video: video-uuid, at: {at} }}\n")
    validation = service.validate_schedule(schedule.id)
    assert not validation["valid"]
    assert validation["issues"] == ["channel channel-1 is not active [inactive-channel]"]


# --- Schedule Management ----------------------------------------------------------------------------


def test_pause_and_resume(service: SchedulingService) -> None:
    at = utcnow() + timedelta(hours=1)
    service.create_simultaneous_schedule("video-uuid", ["channel-1", "channel-uuid"], at, "wave-123")
    service.create_independent_schedule("channel-uuid", at + timedelta(hours=1), "another-video")
    schedule_uuid = "wave-123/video-uuid/channel-1"

    # Pause a single schedule
    assert service.pause_schedule(schedule_uuid).is_paused

    # Resume a schedule
    assert not service.resume_schedule(schedule_uuid).is_paused

    # Pause all schedules for a channel
    paused_count = service.pause_channel_schedules("channel-uuid")
    assert paused_count == 2

    # Resume all schedules for a channel
    resumed_count = service.resume_channel_schedules("channel-uuid")
    assert resumed_count == 2
    assert not any(schedule.is_paused for schedule in service.get_schedules())


def test_cancel_schedule(service: SchedulingService) -> None:
    schedule = service.create_independent_schedule("channel-1", utcnow() + timedelta(hours=1), "video-uuid")
    service.execute_pending_schedules()
    service.cancel_schedule(schedule.id)
    assert service.get_schedules_by_channel("channel-1", status="cancelled")[0].id == schedule.id


# --- Schedule Execution -----------------------------------------------------------------------------


def test_execute_pending_schedules(desk: Desk) -> None:
    desk.service().create_simultaneous_schedule(
        "video-uuid", ["channel-1", "channel-2"], utcnow() + timedelta(hours=1), "wave-123"
    )
    assert desk.service().execute_pending_schedules() == []

    # Execute all pending schedules ready to run
    results = desk.service(timedelta(minutes=61)).execute_pending_schedules()

    assert [f"Schedule {result['schedule_id']}: {result['status']}" for result in results] == [
        "Schedule wave-123/video-uuid/channel-1: completed",
        "Schedule wave-123/video-uuid/channel-2: completed",
    ]


def test_github_actions_gets_a_repository_dispatch_with_both_ids(desk: Desk) -> None:
    schedule = desk.service().create_independent_schedule(
        "channel-uuid", utcnow() + timedelta(hours=2), "video-uuid"
    )
    desk.service(timedelta(hours=2, minutes=1)).execute_pending_schedules()

    (dispatch,) = desk.github.dispatches
    assert (dispatch.repository, dispatch.event_type) == ("acme/channel-uuid", "process-video")
    assert dispatch.payload["video_id"] == "video-uuid"
    assert dispatch.payload["schedule_id"] == schedule.id


def test_a_channel_without_a_repository_gets_a_job_on_the_queue(desk: Desk) -> None:
    desk.mini.write({"channels/lobby.yaml": "queue: screens\n"})
    desk.service().create_independent_schedule("lobby", utcnow() + timedelta(hours=1), "video-uuid")
    results = desk.service(timedelta(minutes=61)).execute_pending_schedules()
    assert [result["status"] for result in results] == ["executing"], "no worker has said that it is done"
    assert desk.github.dispatches == []
    assert (desk.root / "queue.db").exists()


# --- Querying Schedules -----------------------------------------------------------------------------


@pytest.fixture
def filled(service: SchedulingService) -> SchedulingService:
    at = utcnow() + timedelta(days=1)
    service.create_simultaneous_schedule(
        "video-uuid", ["channel-1", "channel-2", "channel-uuid"], at, wave_id="wave-123"
    )
    service.create_independent_schedule("channel-uuid", at + timedelta(days=1), "another-video")
    service.create_independent_schedule("channel-uuid", at + timedelta(days=10), "a-third-video")
    return service


def test_by_date_range(filled: SchedulingService) -> None:
    start_date = utcnow()
    end_date = start_date + timedelta(days=7)

    schedules = filled.get_schedules_by_date_range(
        start_date=start_date,
        end_date=end_date,
        channel_id="channel-uuid",  # Optional
    )

    told = [
        f"{schedule.scheduled_at}: {schedule.schedule_type} - {schedule.status}" for schedule in schedules
    ]
    assert len(told) == 2
    assert told[0].endswith("+00:00: simultaneous - pending")
    assert told[1].endswith("+00:00: independent - pending")
    assert len(filled.get_schedules_by_date_range(start_date, end_date)) == 4


def test_by_channel(filled: SchedulingService) -> None:
    # Get all schedules for a channel
    schedules = filled.get_schedules_by_channel(
        channel_id="channel-uuid",
        status="pending",  # Optional filter
    )
    assert [schedule.video_id for schedule in schedules] == ["video-uuid", "another-video", "a-third-video"]


def test_by_wave(filled: SchedulingService) -> None:
    schedules = filled.get_schedules_by_wave("wave-123")
    assert f"Wave has {len(schedules)} schedules" == "Wave has 3 schedules"


# --- Schedule Status --------------------------------------------------------------------------------


def test_every_status_of_the_guide_is_one_that_schedules_have(desk: Desk) -> None:
    service, at = desk.service(), utcnow() + timedelta(hours=48)
    names = ("channel-1", "channel-2", "channel-3", "channel-uuid")
    service.create_simultaneous_schedule("video-uuid", names, at, "wave-123")
    seen = {schedule.status for schedule in service.get_schedules()}
    desk.service(timedelta(hours=30)).execute_pending_schedules()  # within 24 h its channels are asked
    seen |= {schedule.status for schedule in service.get_schedules()}
    service.cancel_schedule("wave-123/video-uuid/channel-3")
    desk.github.repository("acme/channel-1").faults.append(Fault(status=500))
    desk.github.repository("acme/channel-2").faults.append(Fault(status=422))
    desk.service(timedelta(hours=48, minutes=1)).execute_pending_schedules()
    seen |= {schedule.status for schedule in service.get_schedules()}
    assert seen == {"pending", "scheduled", "executing", "completed", "failed", "cancelled"}


# --- Coordination Groups, Viral Wave Publications -----------------------------------------------------


def test_schedules_of_a_group_share_its_id(filled: SchedulingService) -> None:
    (group_id,) = {schedule.coordination_group_id for schedule in filled.get_schedules_by_wave("wave-123")}
    assert group_id == "wave-123/video-uuid"
    assert [schedule.channel_id for schedule in filled.get_schedules_by_group(group_id)] == [
        "channel-1",
        "channel-2",
        "channel-uuid",
    ]


def test_viral_wave_publications(service: SchedulingService) -> None:
    # Create simultaneous wave
    schedules = service.create_simultaneous_schedule(
        video_id="video-uuid",
        channel_ids=["channel-1", "channel-2", "channel-3"],
        scheduled_at=utcnow() + timedelta(hours=1),
        wave_id="wave-2026-01-23-001",
    )

    # Later, query all schedules in the wave
    wave_schedules = service.get_schedules_by_wave("wave-2026-01-23-001")
    assert wave_schedules == schedules


# --- Automation -------------------------------------------------------------------------------------


def test_scheduled_execution(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.service().create_simultaneous_schedule(
        "video-uuid", ["channel-1", "channel-2"], utcnow() + timedelta(hours=1), "wave-123"
    )
    desk.github.repository("acme/channel-2").faults.append(Fault(status=422, body={"message": "no"}))

    # Run every minute
    service = desk.service(timedelta(minutes=61))
    results = service.execute_pending_schedules(before=utcnow() + timedelta(minutes=61))

    # Log results
    for result in results:
        if result["status"] == "failed":
            logger.error(f"Schedule {result['schedule_id']} failed: {result.get('error')}")

    assert "Schedule wave-123/video-uuid/channel-2 failed: " in caplog.text
    assert "422" in caplog.text


# --- Error Handling ---------------------------------------------------------------------------------


def test_failed_schedules(desk: Desk) -> None:
    desk.service().create_independent_schedule("channel-1", utcnow() + timedelta(hours=1), "video-uuid")
    desk.github.repository("acme/channel-1").faults.append(Fault(status=422, body={"message": "no"}))
    service = desk.service(timedelta(minutes=61))
    service.execute_pending_schedules()

    # Query failed schedules
    schedules = service.schedule_repo.get_all(status="failed")

    told: list[Any] = []
    for schedule in schedules:
        told.append(f"Schedule {schedule.id} failed: {schedule.error_message}")

        # Retry if needed
        if schedule.attempts < 3:
            schedule.status = "pending"
            service.schedule_repo.update(schedule)

    assert len(told) == 1
    assert "422" in told[0]
    assert [result["status"] for result in service.execute_pending_schedules()] == ["completed"]


def test_failed_schedules_are_retried_in_a_loop_that_ends(desk: Desk) -> None:
    desk.service().create_independent_schedule("channel-1", utcnow() + timedelta(hours=1), "video-uuid")
    desk.service().create_independent_schedule("channel-2", utcnow() + timedelta(minutes=50))
    desk.github.repository("acme/channel-1").faults.append(
        Fault(status=422, body={"message": "no"}, times=None)
    )
    told: list[tuple[str, int]] = []
    for minutes in range(61, 70):
        service = desk.service(timedelta(minutes=minutes))
        service.execute_pending_schedules()

        # Query failed schedules
        schedules = service.schedule_repo.get_all(status="failed")

        for schedule in schedules:
            told.append((str(schedule.reason), schedule.attempts))

            # Retry if needed
            if schedule.attempts < 3:
                schedule.status = "pending"
                service.schedule_repo.update(schedule)

    of_channel_1 = [attempts for reason, attempts in told if reason == "rejected"]
    assert of_channel_1 == [1, 2, 3, 3, 3, 3, 3, 3, 3]
    assert told.count(("no_video", 0)) == 9
    assert len([request for request in desk.github.requests if request.method == "POST"]) == 3
