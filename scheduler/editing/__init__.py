"""What a verb of an editor would change: the new text of one file, and what it means for the schedules. Pure.

A proposal is a value. It is computed from one view of the repository, checked against the rules as a pull
request would be, and refused (`Refused`) where the edit itself introduces an error; errors that were there
before do not prevent it. `scheduler.app.operations` writes it.

preview     everything that was read at one instant, and the same with one file edited
targets     what a name means: `channel:ID`, `wave:ID`, the id of a group or of a schedule
proposal    the difference that an edit makes
pausing, moving, creating    the verbs that edit files
retrying    the verb that edits the state
yaml        the edits of the text itself

Imports: `times`, `errors`, `diagnostics`, `wording`, `checkout`, `desired`, `state`, `planning`.
"""

from scheduler.editing.creating import assign, create_group, create_one_off, title_left_out
from scheduler.editing.moving import move, shift
from scheduler.editing.pausing import cancel, pause, resume
from scheduler.editing.preview import View, view_of
from scheduler.editing.proposal import Effect, Proposal, Refused, RemainingPause, Verb
from scheduler.editing.retrying import MayBePublished, Retry, retry
from scheduler.editing.targets import Target, find_schedule, is_single, named, resolve

__all__ = [
    "Effect",
    "MayBePublished",
    "Proposal",
    "Refused",
    "RemainingPause",
    "Retry",
    "Target",
    "Verb",
    "View",
    "assign",
    "cancel",
    "create_group",
    "create_one_off",
    "find_schedule",
    "is_single",
    "move",
    "named",
    "pause",
    "resolve",
    "resume",
    "retry",
    "shift",
    "title_left_out",
    "view_of",
]
