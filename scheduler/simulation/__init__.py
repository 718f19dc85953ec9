"""What would happen: the declared publications, simulated with late runs and faulty channels.

The code that decides and acts is that of `run`; only the clock, the state and the channels are simulated
here, so nothing is written or sent. The same seed gives the same history.

Imports: `times`, `errors`, `diagnostics`, `wording`, `checkout`, `desired`, `state`, `planning`, `delivery`.
"""
