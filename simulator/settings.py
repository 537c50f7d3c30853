"""The settings of the simulated Target: how it behaves without faults."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, for keywords, for the command line and for changes at run time."""

    generation: int = 2  # of the status answer, 1 to 4
    flattened: bool = False  # answers without tags, as on the old page
    raw_ampersand: bool = True  # in the status URL, as published; not well-formed XML
    encoded_ids: bool = False  # ids in status answers stay percent-encoded
    content_type: str = "text/xml;charset=UTF-8"
    completion_seconds: float = 1.0  # from a submission to `complete`
    calls_per_minute: int = 50  # beyond it 503; 0: no limit
    count_status_calls: bool = True  # whether they count as calls of that minute
    statuses_kept: int = 0  # the newest batches that have a status, older ones are 404; 0: all
    max_bytes: int = 50_000_000  # a body must be smaller
    max_rows: int = 500_000
    token: str = ""  # if set, calls without this bearer token get 401
    assume_existing: bool = True  # v1: whether an unknown id counts as an existing visitor
    failed_ids: frozenset[str] = frozenset()  # updates that fail, every time
    failed_once_ids: frozenset[str] = frozenset()  # updates that fail the first time only
    not_found_ids: frozenset[str] = frozenset()
    lost_ids: frozenset[str] = frozenset()  # updates that count as a success and are not kept
    # How values are kept: as they are meant, `cut` at a separator, `plus` for a space, `encoded`, `twice` for
    # decoded twice, or `shifted` where rows are cut after they are decoded.
    kept: str = "decoded"
    hides_profiles: bool = False  # whether no profile can be read
    overrides: bool = False  # whether an update removes the attributes that it does not have
    clears: bool = False  # whether an empty value removes an attribute
    crlf: str = "value"  # CR before LF: part of the `value`, of the line `end`, or `refused`
    needs_prefix: bool = True  # whether a body without `batch=` is refused
    names_unknown: bool = True  # whether the status of a batch that is not known is 404, and not `incomplete`
    guarded: str = "both"  # the calls that need the token: `both`, `submit` or `status`
    retry_after: int = 0  # seconds that a 503 names; 0: none
    visible_seconds: float = 0.0  # from a submission to the moment from which it shows in a profile
    status_base: str = ""  # scheme and host of the status URL; empty: the simulator's own

    def to_json(self) -> dict[str, Any]:
        """Return all settings; of the token only whether there is one."""
        data = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in dataclasses.asdict(self).items()
        }
        return data | {"token": bool(self.token)}
