"""Checkpoints: where a split is, so that another invocation can go on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import PlannedBatch
from bulk_profiles.splitting.batches.rejects import Tally
from bulk_profiles.splitting.reading.blocks import Position


class OutOfTimeError(BulkProfilesError):
    """The split stopped in time: calling it again with `checkpoint`, which is JSON, goes on."""

    def __init__(self, checkpoint: Json) -> None:
        super().__init__("The split ran out of time and can be continued.")
        self.checkpoint = checkpoint


class Phase(StrEnum):
    """What the file is read for."""

    DRAFT = "draft"  # to write batches as if no id came twice, and to find out
    GATHER = "gather"  # to merge the rows whose ids come more than once
    FINAL = "final"  # to write the batches with the merged rows


@dataclass(frozen=True, slots=True)
class State:
    """Where a split is: at the start of a block, with `done` rows from there on in finished batches already.

    `oversized`: digests of the ids whose rows, once merged, fit in no batch.
    `ordinal` counts the rows before the block that may be sent; `merged_at` is the place in the merged rows.
    The other fields are what the parts of a job have written to the scratch and counted.
    """

    phase: Phase = Phase.DRAFT
    names: tuple[str, ...] | None = None
    start: Position | None = None
    done: int = 0
    ordinal: int = 0
    skipped: int = 0
    merged: int = 0
    merged_at: int = 0
    batches: tuple[PlannedBatch, ...] = ()
    tally: Json = field(default_factory=lambda: Tally().to_json())
    parts: int = 0
    hash_runs: tuple[int, ...] = ()
    repeats_found: bool = False
    merge_runs: int = 0
    merge_rows: int = 0
    oversized: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """Give the state as a checkpoint."""
        data = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        data["phase"] = self.phase.value
        data["start"] = [self.start.offset, self.start.line] if self.start else None
        data["batches"] = [batch.to_json() for batch in self.batches]
        return data

    @classmethod
    def from_json(cls, data: Json) -> State:
        """Read what `to_json` wrote."""
        fields = dict(data)
        fields["phase"] = Phase(fields["phase"])
        fields["names"] = tuple(fields["names"]) if fields["names"] is not None else None
        fields["start"] = Position(*fields["start"]) if fields["start"] else None
        fields["batches"] = tuple(PlannedBatch.from_json(batch) for batch in fields["batches"])
        fields["oversized"] = tuple(fields["oversized"])
        fields["hash_runs"] = tuple(fields["hash_runs"])
        return cls(**fields)
