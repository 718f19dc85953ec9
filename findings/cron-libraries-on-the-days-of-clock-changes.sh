#!/usr/bin/env bash
# croniter 7.0.0 and APScheduler 3.11.3: when does "30 2 * * *" in Berlin fire on the two days when clocks change?
#
# Where it matters: a daily slot that is written as a calendar expression; a peer's schedule that is moved to ours.
# Guesses, written down first: on the day without a 02:30 both take 03:30, the same distance from midnight; on the day
#   with two of them both fire once.
# Seen: on the short day croniter takes 03:00, the end of the gap, half an hour from what is written, and APScheduler the
#   instant of 03:30, which it calls "02:30+01:00", a wall time that no clock shows. On the long day both fire twice,
#   an hour apart: for a job that publishes, that is one publication too many.
# Runs in a temporary folder, with packages from the usual index; fails if any of this changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check croniter==7.0.0 APScheduler==3.11.3 tzdata==2026.3
seen=$("$work/venv/bin/python" - <<'PY'
import datetime
import zoneinfo

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
trigger = CronTrigger(hour=2, minute=30, timezone=BERLIN)


def of_croniter(start, end):
    times = croniter("30 2 * * *", start)
    while (time := times.get_next(datetime.datetime)) < end:
        yield time


def of_apscheduler(now, end):
    last = None
    while (last := trigger.get_next_fire_time(last, now)) < end:
        yield last
        now = (last.astimezone(datetime.UTC) + datetime.timedelta(seconds=1)).astimezone(BERLIN)


for day in (datetime.datetime(2027, 3, 28, tzinfo=BERLIN), datetime.datetime(2027, 10, 31, tzinfo=BERLIN)):
    for name, times in (("croniter", of_croniter), ("apscheduler", of_apscheduler)):
        print(day.date(), name, *(f"{at:%H:%M%z}" for at in times(day, day + datetime.timedelta(days=1))))
PY
)
echo "$seen"
diff <(echo "$seen") - <<'EXPECTED'
2027-03-28 croniter 03:00+0200
2027-03-28 apscheduler 02:30+0100
2027-10-31 croniter 02:30+0200 02:30+0100
2027-10-31 apscheduler 02:30+0200 02:30+0100
EXPECTED
