"""The room for GitHub Actions: what the workflows say and do around the scheduler's own commands.

`python -m scheduler.actions` writes job summaries, keeps one comment on a pull request, one issue a
wave that failed, and one issue about missing ticks. It decides nothing about schedules, reads no YAML and no
state: its input is what `scheduler plan` and `scheduler run` printed. A hiccup of GitHub here is a
warning in the log and never turns a run red.

Imports: `times`, `errors`, `clock`, `delivery`, `editing`, `reporting`, `app`.
"""
