"""What editors do to a wave or a channel: YAML text in, YAML text out, everything else as it was.

Pausing and resuming leaves no difference, not even in a file that is written oddly. Every result is read
again and must mean exactly what was asked for (`draft`); a text that cannot be edited safely is refused.
All functions raise ScheduleError, with a hint, for that and for a target that is not there.

outline    the values of a text with their spans
style      how values are written in this file
draft      splices: set, insert, remove, append; the check of the result
flags      a key put in and taken out without a trace
times      times in the form in which they are written
targets    waves, channels, groups, members, one-offs: where a file says them
pauses, moves, additions    the verbs
"""

from scheduler.editing.yaml.additions import assign, create_entry, create_one_off
from scheduler.editing.yaml.moves import move, shift
from scheduler.editing.yaml.pauses import cancel, pause, resume
from scheduler.editing.yaml.places import (
    ChannelPlace,
    GroupPlace,
    MemberPlace,
    SinglePlace,
    Target,
    WavePlace,
)
from scheduler.editing.yaml.spans import Loc
from scheduler.editing.yaml.splice import Draft, remove_key, set_value
from scheduler.editing.yaml.style import Value

__all__ = [
    "ChannelPlace",
    "Draft",
    "GroupPlace",
    "Loc",
    "MemberPlace",
    "SinglePlace",
    "Target",
    "Value",
    "WavePlace",
    "assign",
    "cancel",
    "create_entry",
    "create_one_off",
    "move",
    "pause",
    "remove_key",
    "resume",
    "set_value",
    "shift",
]
