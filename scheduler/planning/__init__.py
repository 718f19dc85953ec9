"""Declared x recorded x now -> diagnostics and a plan. Pure: no clock, no disk, no network.

`reconcile` is the whole pipeline on one page: `expand` makes schedules of waves, `lineup` fills slots,
`rules` refuses what may not be, and `plan` says what is to be done, each step with its reason.

Imports: `times`, `errors`, `diagnostics`, `wording`, `checkout`, `desired`, `state`.
"""
