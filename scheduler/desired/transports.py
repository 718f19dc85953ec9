"""How a publication can leave, and what each way is like: one row a transport, read by every wing. Pure.

A transport is a plain string in files, in the state and in JSON. What the code needs to know about it is in
`TRANSPORTS`, so that another forge is a row here and a package below `scheduler/delivery`, and not a search
through lookups, reports and hints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

import msgspec

Transport = Literal["repository_dispatch", "workflow_dispatch", "queue"]
ForgeTransport = Literal["repository_dispatch", "workflow_dispatch"]
"""The transports of channels with a `repository`: the values of the key `transport`."""


class TransportTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of every publication that leaves by one transport."""

    package: Literal["github", "queue"]
    """The package below `scheduler/delivery` whose `open_dispatcher` makes its dispatcher."""
    meaning: str
    """What the reference and editors say of this value of the key `transport`."""
    work: str = "the channel's run"
    """What a publication starts, in sentences."""
    worker: str = "the channel's run"
    """Who reports how that ended, in sentences."""
    is_job: bool = False
    """A worker of ours takes it from a queue and writes the end into the state."""
    names_workflow: bool = False
    """It starts the one workflow that the channel names."""
    has_one_run: bool = False
    """A request starts one run at most, so that the known run can be looked up by its id."""
    has_runs: bool = False
    """The server keeps runs that carry the key: a lost record can be found, and a failed run be run again."""
    can_retract: bool = False
    """What was handed over can be taken back by another event, which reaches the same workflows."""
    has_clock: bool = False
    """The server's `Date` can be compared with this machine's clock."""


TRANSPORTS: Final[Mapping[Transport, TransportTraits]] = {
    "repository_dispatch": TransportTraits(
        package="github", has_runs=True, has_clock=True, can_retract=True,
        meaning="By an event that all workflows listening to `event_type` get.",
    ),
    "workflow_dispatch": TransportTraits(
        package="github", names_workflow=True, has_one_run=True, has_runs=True, has_clock=True,
        meaning="By name: needs `workflow`, and GitHub answers with the run.",
    ),
    "queue": TransportTraits(
        package="queue", is_job=True, has_one_run=True, work="its job", worker="its worker",
        meaning="As a job for a worker: what channels without a `repository` do.",
    ),
}  # fmt: skip


class _Channel(Protocol):
    @property
    def repository(self) -> str | None: ...
    @property
    def transport(self) -> ForgeTransport: ...


def transport_of(channel: _Channel) -> Transport:
    """How a channel's publications leave: by its `transport`, or by the queue where it has no repository."""
    return "queue" if channel.repository is None else channel.transport
