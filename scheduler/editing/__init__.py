"""What a verb of an editor would change: the new text of one file, and what it means for the schedules. Pure.

A proposal is a value. It is computed from one look at the repository, held against the rules as a pull
request would be, and refused (`Refused`) where the edit itself introduces an error; faults that were there
before do not stand in its way. `scheduler.app.operations` writes it.

view       one look at everything; the same look with one file edited
targets    `channel:ID`, `wave:ID`, groups and schedules by their ids
changes    the proposal: the difference that an edit makes
switches, times, additions    the verbs

Imports: `times`, `errors`, `diagnostics`, `wording`, `checkout`, `desired`, `state`, `planning`.
"""

from scheduler.editing.create import assign, create_group, create_one_off, title_left_out
from scheduler.editing.move import move, shift
from scheduler.editing.pause import cancel, pause, resume
from scheduler.editing.preview import View, look
from scheduler.editing.proposal import Proposal, Refused, Shift, Verb
from scheduler.editing.targets import Target, find_schedule, resolve

__all__ = [
    "Proposal",
    "Refused",
    "Shift",
    "Target",
    "Verb",
    "View",
    "assign",
    "cancel",
    "create_group",
    "create_one_off",
    "find_schedule",
    "look",
    "move",
    "pause",
    "resolve",
    "resume",
    "shift",
    "title_left_out",
]
