"""Every code of `Diagnostic`, documented: the rules, and the codes that other parts report. Pure.

The codes below have no function here: reading the files, git, the clock and the servers are not the business
of rules. `docs/rules.md` and the rules of SARIF are made from `CATALOGUE`.
"""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.diagnostics import Code, Severity
from scheduler.planning.inquiry import Example, Rule
from scheduler.planning.rules import RULES

OF_FILES = (
    Rule(
        code="yaml-syntax",
        title="A file is YAML that can be read",
        meaning="""\
The file cannot be read as YAML, or has something that these files may not have: an anchor or alias, a
tag, several documents, a merge-conflict marker, a character that is not text. There is one such error a
file, since everything after it would be guesswork. What the file declared before is published as it is
recorded.""",
        remedy="Correct the line that is shown. Indentation and a missing space after `:` or `-` come first.",
        bad=Example(
            files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
   at: 2026-03-05T18:00:00Z
    channels: [alpha]
""",
            fix=("   at:", "    at:"),
        ),
    ),
    Rule(
        code="duplicate-key",
        title="A key is written once",
        meaning="""\
YAML readers keep the last of two equal keys and drop the other without a word. Here it is an error.""",
        remedy="Remove one of the two lines.",
        bad=Example(
            files="""\
-- waves/spring.yaml --
title: Spring
title: Spring launch
schedules: []
""",
            fix=("title: Spring\n", ""),
        ),
    ),
    Rule(
        code="unknown-key",
        title="Keys are those that the kind of file has",
        meaning="""\
A key with a typing error would have no effect, and nobody would notice. In `metadata` any key is
allowed.""",
        remedy="Correct the key as the hint says, move it to where it belongs, or remove it.",
        bad=Example(
            files="""\
-- waves/spring.yaml --
titel: Spring launch
schedules: []
""",
            fix=("titel", "title"),
        ),
    ),
    Rule(
        code="missing-key",
        title="Required keys are there",
        meaning="""\
A wave needs `schedules`, and an entry `type`, `video`, `at` and `channels`; a staggered one needs
`delay` too. An empty file is reported under this code.""",
        remedy="Add the key that is named.",
        bad=Example(
            files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    channels: [alpha]
""",
            fix=("video: teaser", "video: teaser\n    at: 2026-03-05T18:00:00Z"),
        ),
    ),
    Rule(
        code="misleading-zone",
        title="A time zone means what its name suggests",
        severity=Severity.WARNING,
        meaning="""\
`EST`, `MST` and `HST` are fixed offsets: they do not follow the daylight saving time of New York or Denver,
so in summer a publication is an hour late there. The signs of `Etc/GMT+5` and the like are reversed: it is
UTC-5.""",
        remedy="Write the zone of a place, such as `America/New_York`, or the offset in the time itself.",
        bad=Example(
            files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-07-01T18:00
    timezone: EST
    channels: [alpha]
""",
            fix=("EST", "America/New_York"),
        ),
    ),
    Rule(
        code="unused-zone",
        title="A time has an offset or a zone, not both",
        severity=Severity.WARNING,
        meaning="""\
A time with an offset, `Z` or a zone of its own does not use the `timezone:` beside it. Programs write such
times for local ones: js-yaml 4 reads `2026-03-05T18:00:00` and writes `2026-03-05T18:00:00.000Z`. Under the
`timezone:` of a channel's file an offset is allowed; only one with a fraction, as such programs write it, is
reported.""",
        remedy="Remove the offset if the time is local in that zone, otherwise remove the `timezone`.",
        bad=Example(
            files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00.000Z
    timezone: Europe/Berlin
    channels: [alpha]
""",
            fix=("T18:00:00.000Z", "T18:00"),
        ),
    ),
    Rule(
        code="unused-lineup",
        title="A lineup has slots to fill",
        severity=Severity.WARNING,
        meaning="""\
The videos of a channel's `lineup` are published at its `slots`. A channel without slots publishes none of
them.""",
        remedy="Add `slots`, or write each video with a time of its own in `schedules`.",
        bad=Example(
            files="""\
-- channels/alpha.yaml --
repository: acme/alpha
lineup: [intro]
""",
            fix=("lineup", "slots: [Mon 18:00]\nlineup"),
        ),
    ),
    Rule(
        code="ignored-file",
        title="Files have names that are read",
        severity=Severity.WARNING,
        meaning="""\
Waves are read from `waves/*.yaml` and `waves/*.yml` and the folders below, channels from `channels/`. A
file such as `spring.YAML`, `spring.yaml.txt` or `spring.json` is ignored there, and so is a folder `wave/`
or `Waves/`.""",
        remedy="Rename the file or folder as the hint says, or move it to where nothing is read.",
    ),
)
"""What `scheduler.desired` reports while it reads the files, besides `invalid-value` and `duplicate-id`."""

OF_RUNS = (
    Rule(
        code="stale-checkout",
        title="A run starts from what was declared last",
        severity=Severity.WARNING,
        meaning="""\
The state records the commit that the last run read. A checkout that does not contain it, because it is older
or has diverged, would withdraw what was merged since and publish what was not, so a run refuses it
(exit code 1), and `validate` and `plan` warn. The same files by other commits, as after a squash, are fine.
The history that a shallow clone lacks is fetched, as commits alone; where that fails, the exit code is 3.
The tip of the remote's branch is accepted with a warning: the branch was set back or rewritten.""",
        remedy="Fetch the branch and check out its tip. To act on exactly this checkout, run "
        "`scheduler run --adopt` (or start `reconcile.yml` with `adopt`).",
    ),
    Rule(
        code="clock",
        title="The machine's clock is right",
        meaning="""\
A clock that is wrong sends at the wrong time. A run compares its own with the server that it sends to,
and with the time that the state was last saved at.""",
        remedy="Set the clock (NTP). Nothing is sent until it is right.",
    ),
    Rule(
        code="forgotten",
        title="The state knows what was sent",
        meaning="""\
A run of the channel's workflow has the key of a publication that the state says was never sent:
somebody put back an old state. The publication is recorded as sent, and is not sent again.""",
        remedy="Find out who or what restored the old state; look at what else was sent since it was saved.",
    ),
    Rule(
        code="late-together",
        title="What is late on one channel leaves one at a time",
        severity=Severity.WARNING,
        meaning="""\
After an outage, several publications of one channel may be past their publish time. They leave in the
order of their times, each at least `min_gap` after the last one of the channel and before its next
planned one; what is in time never waits for them. One that waits longer than its `catch_up` is missed.""",
        remedy="""\
Nothing, if it is fine that they come one by one: `run --hold` and `--watch` wait for each, a plain run
leaves the rest to the next. Otherwise lower `min_gap`, raise `catch_up`, or cancel some of them.""",
    ),
    Rule(
        code="unreachable",
        title="What is asked answers",
        severity=Severity.WARNING,
        meaning="""\
A server or a remote did not answer, or the channel's repository is not ready for a publication that
falls due within 24 h. The run continues with what it has. A channel is asked
again hourly, and at once when its file changes or its token is set or missing.""",
        remedy="Look at the reason in the message: the token, the repository, the workflow, or the network.",
    ),
)
"""What a run or a proposal reports about the machine, git and servers."""

CATALOGUE: Mapping[Code, Rule] = {rule.code: rule for rule in (*OF_FILES, *RULES, *OF_RUNS)}
