"""What would happen: the declared publications played under given lateness and faults.

The code that decides and acts is that of `run`; only the clock, the record and the channels are simulated
here, so that nothing is written or sent. The same seed gives the same history.

Imports: `times`, `errors`, `diagnostics`, `wording`, `checkout`, `desired`, `state`, `planning`, `delivery`.
"""
