"""What no test of `make coverage` reaches, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A function of which a part is not reached."""

    module: str  # e.g. `aws.s3`
    function: str  # e.g. `Sink.abort`; empty: outside of functions
    missing: int  # lines and branches
    reason: str


UNCOVERED: tuple[Uncovered, ...] = ()
