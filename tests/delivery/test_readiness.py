"""A channel is asked a day ahead whether it is ready, hourly from then on, and at once when it changes."""

from __future__ import annotations

import pytest
from github_stand_in import GitHub
from miniature import Miniature

AT, A_DAY_BEFORE = "2026-03-01T18:00:00Z", "2026-02-28T18:00:00Z"
MINUTE_LATER, TWO_LATER, AN_HOUR_LATER = (
    "2026-02-28T18:01:00Z",
    "2026-02-28T18:02:00Z",
    "2026-02-28T19:01:00Z",
)
ID = "spring/teaser/alpha"
NO_TOKEN = f"{ID} is due within 24 h and is not ready: no token: ACME_TOKEN is not set"


@pytest.fixture
def ready(live: Miniature) -> Miniature:
    """A publication whose channel was ready a day ahead."""
    live.write(
        {
            "waves/spring.yaml": f"""\
        schedules: [{{ type: simultaneous, group: teaser, video: v, at: {AT}, channels: [alpha] }}]
        """
        }
    )
    assert live.json("run", now=A_DAY_BEFORE).codes == []
    assert live.statuses == {ID: "scheduled"}
    return live


def messages(mini: Miniature, now: str) -> list[str]:
    outcome = mini.json("run", now=now)
    assert outcome.code == 0, "what is not ready is a warning: it may be ready by its time"
    return [fault["message"] for fault in outcome.json["diagnostics"]]


def test_a_token_that_is_lost_after_the_channel_was_ready_is_reported_by_the_next_run(
    ready: Miniature,
) -> None:
    token = ready.environ.pop("ACME_TOKEN")
    (message,) = messages(ready, MINUTE_LATER)
    assert message.startswith(NO_TOKEN)
    assert ready.statuses == {ID: "pending"}
    assert "not ready any more" in ready.records[ID]["history"][-1]["why"]
    assert messages(ready, MINUTE_LATER) == [message], "it is reported by every run, as long as it is so"
    ready.environ["ACME_TOKEN"] = token
    assert messages(ready, TWO_LATER) == []
    assert ready.statuses == {ID: "scheduled"}


def test_a_repository_that_is_gone_after_the_channel_was_ready_is_reported_within_an_hour(
    ready: Miniature, github: GitHub
) -> None:
    asked = len(github.requests)
    github.repository("acme/alpha").workflows.clear()
    assert messages(ready, MINUTE_LATER) == []
    assert len(github.requests) == asked, "it is not asked with each run"
    (message,) = messages(ready, AN_HOUR_LATER)
    assert "no workflow" in message
    assert "add `on:" in ready.records[ID]["unconfirmed_hint"]


@pytest.mark.parametrize("change", ["event_type: other", "token: OTHER_TOKEN", "repository: acme/elsewhere"])
def test_an_edited_channel_is_asked_at_once(ready: Miniature, change: str) -> None:
    keys = {"repository": "acme/alpha", "token": "ACME_TOKEN"} | dict([change.split(": ")])
    ready.write({"channels/alpha.yaml": "".join(f"{key}: {value}\n" for key, value in keys.items())})
    assert len(messages(ready, MINUTE_LATER)) == 1


def test_what_changes_on_another_channel_asks_nothing(ready: Miniature, github: GitHub) -> None:
    asked = len(github.requests)
    ready.write({"channels/beta.yaml": "repository: acme/beta\ntoken: OTHER_TOKEN\n"})
    assert messages(ready, MINUTE_LATER) == []
    assert len(github.requests) == asked


def test_a_paused_publication_is_not_reported_for_its_channel(ready: Miniature) -> None:
    del ready.environ["ACME_TOKEN"]
    assert len(messages(ready, MINUTE_LATER)) == 1
    channel = ready.root / "channels/alpha.yaml"
    channel.write_text(channel.read_text() + "paused: true\n")
    assert messages(ready, TWO_LATER) == []
