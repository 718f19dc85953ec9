"""Runners that crash between any two effects, on a world that is simulated: clock, record, GitHub, editors.

The code under test is the real one: `scheduler.delivery.Runner` with the real planner and the real rules. A
run passes named points before and after each effect, where the driver may stop it for a while or for good.
"""
