"""How the simulated Target behaves when nothing goes wrong."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, by keyword, by command line or while it runs."""

    generation: int = 2  # of the status answer, 1 to 4
    flattened: bool = False  # answers lose their tags, as on the old page
    raw_ampersand: bool = True  # the status URL inside the XML as published, not well-formed
    encoded_ids: bool = False  # ids in status answers stay percent-encoded
    content_type: str = "text/xml;charset=UTF-8"
    completion_seconds: float = 1.0  # from a submission to `complete`
    calls_per_minute: int = 50  # above it 503; 0: no limit
    count_status_calls: bool = True  # whether status calls use that budget too
    statuses_kept: int = 0  # the newest so many answer, older ones are 404; 0: all
    max_bytes: int = 50_000_000  # a body must stay below
    max_rows: int = 500_000
    token: str = ""  # when set, calls without this bearer token get 401
    assume_existing: bool = True  # v1: whether ids never seen before count as existing visitors
    failed_ids: frozenset[str] = frozenset()  # updates that fail, every time
    failed_once_ids: frozenset[str] = frozenset()  # updates that fail the first time only
    not_found_ids: frozenset[str] = frozenset()
    status_base: str = ""  # scheme and host of the status URL; empty: the simulator's own

    def to_json(self) -> dict[str, Any]:
        """Give all of it but the token, which only says whether there is one."""
        data = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in dataclasses.asdict(self).items()
        }
        return data | {"token": bool(self.token)}
