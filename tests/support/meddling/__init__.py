"""Commands as processes of their own on a machine with a fault: `sitecustomize.py` here is what does it."""

from __future__ import annotations

from pathlib import Path

from miniature import Miniature, Outcome

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent


def on_a_faulty_machine(
    mini: Miniature,
    *command: str,
    clock: float | None = None,
    disk: str | None = None,
    files: int | None = None,
    **environ: str,
) -> Outcome:
    """Run a command. `clock`: seconds by which the machine's is wrong; the others: see `sitecustomize.py`."""
    orders = {"MEDDLE_CLOCK": clock, "MEDDLE_DISK": disk, "MEDDLE_FILES": files}
    environ |= {name: str(value) for name, value in orders.items() if value is not None}
    process = mini.start(*command, PYTHONPATH=f"{HERE}:{PROJECT}", **environ)
    out, err = process.communicate(timeout=60)
    return Outcome(process.returncode, out, err)
