"""Edits of one YAML text: text in, text out, and every character that the edit is not about stays as it was.

Pausing and then resuming restores the file byte for byte, however it was formatted. Every result is parsed
again and must mean exactly what was asked for (`splice`); a text that cannot be edited safely is refused.
All functions raise ScheduleError, with a hint, for that and for a place that the text does not have.

spans      the values of a text with their positions
style      how this file writes values
splice     set, insert, remove, append; the check of the result
toggle     a key added and removed again without a trace
times      times in the form in which they are written
places     waves, channels, groups, members, one-offs: where a file declares them
pauses, moves, additions    the verbs
"""

from scheduler.editing.yaml.additions import assign, create_entry, create_one_off
from scheduler.editing.yaml.moves import move, shift
from scheduler.editing.yaml.pauses import cancel, pause, resume
from scheduler.editing.yaml.places import (
    ChannelPlace,
    GroupPlace,
    MemberPlace,
    Place,
    SinglePlace,
    WavePlace,
)
from scheduler.editing.yaml.spans import Loc
from scheduler.editing.yaml.splice import Draft, set_value
from scheduler.editing.yaml.style import Value

__all__ = [
    "ChannelPlace",
    "Draft",
    "GroupPlace",
    "Loc",
    "MemberPlace",
    "Place",
    "SinglePlace",
    "Value",
    "WavePlace",
    "assign",
    "cancel",
    "create_entry",
    "create_one_off",
    "move",
    "pause",
    "resume",
    "set_value",
    "shift",
]
