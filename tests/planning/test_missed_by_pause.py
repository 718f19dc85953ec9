"""Waiting that ends too late is a loss: a freeze or an `until` that outlasts `catch_up` says so there."""

from __future__ import annotations

import pytest
from miniature import Miniature

NOW = "2026-03-01T09:00:00Z"
AT, LATER = "2026-03-05T18:00:00Z", "2026-03-05T21:00:00Z"
LONG, SHORT = "2026-03-06T00:00:00Z", "2026-03-05T19:00:00Z"
ALPHA = "alpha.yaml", "repository: acme/alpha\ntoken: ACME_TOKEN\n"


def wave(*channels: str, top: str = "", at: str = AT, more: str = "") -> str:
    entry = f"{{ type: staggered, delay: 10m, video: v, at: {at}, channels: [{', '.join(channels)}]{more} }}"
    return f"{top}schedules:\n  - {entry}\n"


def held(by: str, until: str) -> dict[str, str]:
    """A wave on alpha that something holds back until then, and how it is without it."""
    pause = f"paused: {{ until: {until} }}"
    files = {"waves/w.yaml": wave("alpha")}
    if by == "member":
        files["waves/w.yaml"] = wave(f"{{ id: alpha, {pause} }}")
    elif by == "wave":
        files["waves/w.yaml"] = wave("alpha", top=f"{pause}\n")
    elif by == "channel":
        files["channels/alpha.yaml"] = f"{ALPHA[1]}{pause}\n"
    else:
        files["scheduler.yaml"] = f"freezes:\n  - {{ from: 2026-03-05T00:00:00Z, until: {until} }}\n"
    return files


PLACES = {
    "member": "waves/w.yaml:2:113",
    "wave": "waves/w.yaml:1:18",
    "channel": "channels/alpha.yaml:3:18",
    "freeze": "scheduler.yaml:2:42",
}


@pytest.mark.parametrize("by", PLACES)
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_what_a_proposal_would_lose_is_an_error_at_the_end_of_the_pause(
    mini: Miniature, by: str, command: str
) -> None:
    mini.channels("alpha").write({"waves/w.yaml": wave("alpha")})
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    outcome = mini.write(held(by, LONG)).json(command, now=NOW)
    assert (outcome.code, outcome.places) == (1, [f"{PLACES[by]} [missed-by-pause]"])
    (fault,) = outcome.json["diagnostics"]
    assert "w/v/alpha will be missed: " in fault["message"]
    assert f"ends at {LONG}, and `catch_up` allows it until {SHORT}" in fault["message"]
    assert fault["hint"] == (
        f"run `scheduler move w/v/alpha {LONG}`, end it by {SHORT}, or set `catch_up: 6h`"
    )
    assert mini.write(held(by, SHORT)).json(command, now=NOW).code == 0


@pytest.mark.parametrize("by", PLACES)
def test_what_was_there_before_is_a_warning_and_so_is_everything_in_a_run(mini: Miniature, by: str) -> None:
    mini.channels("alpha").write({"waves/w.yaml": wave("alpha")})
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    mini.write(held(by, LONG))
    assert mini.json("run", now=NOW).code == 0
    outcome = mini.json("validate", now=NOW)
    assert (outcome.code, outcome.places) == (0, [f"{PLACES[by]} [missed-by-pause]"])
    mini.run("run", now=LONG)
    assert mini.statuses == {"w/v/alpha": "failed (missed)"}


def test_a_publication_that_is_moved_under_a_pause_is_an_error(mini: Miniature) -> None:
    mini.channels("alpha").write({"waves/w.yaml": wave("alpha", at="2026-03-06T12:00:00Z")})
    mini.write({"channels/alpha.yaml": f"{ALPHA[1]}paused: {{ until: {LONG} }}\n"})
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    assert mini.json("validate", now=NOW).places == []
    outcome = mini.write({"waves/w.yaml": wave("alpha")}).json("validate", now=NOW)
    assert (outcome.code, outcome.places) == (1, ["channels/alpha.yaml:3:18 [missed-by-pause]"])


def test_the_catch_up_of_the_wave_counts_and_one_end_is_one_fault(mini: Miniature) -> None:
    mini.channels("alpha", "beta", "gamma")
    mini.write(
        {"waves/patient.yaml": wave("gamma", top="catch_up: 6h\n"), "waves/w.yaml": wave("alpha", "beta")}
    )
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    mini.write({"scheduler.yaml": f"freezes: [{{ from: 2026-03-05T00:00:00Z, until: {LONG} }}]\n"})
    found = {fault["code"]: fault["message"] for fault in mini.json("validate", now=NOW).json["diagnostics"]}
    assert found.keys() == {"frozen", "missed-by-pause"}
    assert found["missed-by-pause"].startswith("w/v/alpha and 1 more will be missed: the freeze")
    assert found["frozen"].startswith("patient/v/gamma waits until")


SECOND = "2026-03-05T18:30:00Z"


@pytest.mark.parametrize("by", PLACES)
def test_a_freeze_that_begins_before_the_wait_is_over_prolongs_it(mini: Miniature, by: str) -> None:
    """A pause until 18:30 and a freeze from 18:30 to midnight are one wait until midnight."""
    mini.channels("alpha").write({"waves/w.yaml": wave("alpha")})
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    files = {"scheduler.yaml": "freezes:\n"} | held(by, SECOND)
    later = f"{files['scheduler.yaml']}  - {{ reason: second, from: {SECOND}, until: {LONG} }}\n"
    outcome = mini.write(files | {"scheduler.yaml": later}).json("validate", now=NOW)
    (fault,) = outcome.json["diagnostics"]
    assert (outcome.code, outcome.codes) == (1, ["missed-by-pause"])
    assert f"the freeze 'second' ends at {LONG}" in fault["message"]

    recorded = mini.json("run", now=NOW)
    assert (recorded.code, recorded.codes) == (0, ["missed-by-pause"])
    assert mini.json("validate", now=NOW).code == 0, "what main has is a warning in every later proposal"
    assert f"The pause ends at {LONG}. It is then missed" in mini.run("show", "w/v/alpha", now=NOW).out

    short = later.replace(LONG, SHORT)
    outcome = mini.write({"scheduler.yaml": short}).json("validate", now=NOW)
    messages = [fault["message"] for fault in outcome.json["diagnostics"]]
    waits = f"w/v/alpha waits until {SHORT}: freeze 'from 2026-03-05T00:00:00Z'"
    assert messages == ([waits] if by == "freeze" else [])


def test_a_freeze_that_begins_after_a_gap_prolongs_nothing(mini: Miniature) -> None:
    mini.channels("alpha").write({"waves/w.yaml": wave("alpha")})
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    later = f"freezes:\n  - {{ from: 2026-03-05T18:40:00Z, until: {LONG} }}\n"
    mini.write(held("wave", SECOND) | {"scheduler.yaml": later})
    assert mini.json("validate", now=NOW).places == []


def test_a_slot_is_a_warning_since_its_video_moves_on(mini: Miniature) -> None:
    own = f"{ALPHA[1]}slots: ['*-*-* 18:00']\nlineup: [one, two]\n"
    mini.write({"channels/alpha.yaml": own})
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    mini.write({"channels/alpha.yaml": f"{own}paused: {{ until: 2026-03-03T00:00:00Z }}\n"})
    outcome = mini.json("validate", now=NOW)
    assert (outcome.code, outcome.places) == (0, ["channels/alpha.yaml:5:18 [missed-by-pause]"])


def test_what_waits_for_another_one_may_come_later_anyway(mini: Miniature) -> None:
    mini.channels("alpha", "beta")
    more = ", after_success: true"
    mini.write({"waves/w.yaml": wave("alpha", f"{{ id: beta, paused: {{ until: {LONG} }} }}", more=more)})
    mini.run("state", "init", now=NOW)
    assert mini.json("validate", now=NOW).places == []
