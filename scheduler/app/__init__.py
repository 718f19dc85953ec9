"""One repository put together: the Python API, `doctor`, `init`, and the run that finds nothing to do.

`repository` is the composition root: it alone joins the disk, the environment, the clock, a store and the
dispatchers. `idle` is the most common run, and ends before anything heavy is imported.

Imports: `times`, `errors`, `diagnostics`, `wording`, `clock`, `checkout`, `desired`, `state`, `planning`,
`delivery`, `editing`, `reporting`.
"""
