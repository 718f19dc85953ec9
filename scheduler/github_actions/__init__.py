"""What the workflows do besides running the scheduler's own commands.

`python -m scheduler.actions` writes job summaries, keeps one comment on each pull request, one issue for each
wave that failed and one for missing ticks, and turns a form into a pull request. It decides nothing about
publications: its input is what `scheduler plan` and `scheduler run` printed. `client` is PyGithub, the only
use of it. A failure of GitHub here is a warning in the log and never turns a run red.

Imports: `times`, `errors`, `wording`, `clock`, `delivery`, `editing`, `reporting`, `app`.
"""
