"""The command line: arguments in, text and exit codes out.

`main` has the group and the commands of every day; each other module is imported when its command is called.

Imports: `times`, `errors`, `diagnostics`, `wording`, `clock`, `checkout`, `desired`, `state`, `planning`,
`delivery`, `editing`, `simulation`, `reporting`, `app`.
"""
