"""Checkpoints: how far a split has come, so that another invocation can go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.json_object import Json, JsonObject, as_json
from bulk_profiles.core.models import PlannedBatch
from bulk_profiles.splitting.batches.rejects import Tally
from bulk_profiles.splitting.checked_scratch import Sum
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


@dataclass(slots=True)
class Progress(JsonObject):
    """How far a split has come at the start of a block. Its JSON is the checkpoint."""

    camel_case: ClassVar[bool] = False  # as splits under way have written it

    phase: Phase = Phase.DRAFT
    # All blocks have been read in this phase: what is left of it is a merge.
    read: bool = field(default=False, metadata=as_json(optional=True))
    names: tuple[str, ...] | None = None  # the columns of the file, once they are known
    start: Position | None = None  # of the block; None: the first one
    done: int = 0  # rows from there on that are in finished batches already
    ordinal: int = 0  # number of the good rows before the block
    skipped: int = 0  # rows without any value, in this phase
    merged: int = 0  # rows that went into an earlier row of their id
    merged_at: int = 0  # bytes of the merged rows that come before the next one
    merged_crc: int = field(default=0, metadata=as_json(optional=True))  # of these bytes
    batches: tuple[PlannedBatch, ...] = ()  # finished in this phase
    tally: Tally = field(default_factory=Tally)
    parts: int = 0  # of the file of rejected rows, in the scratch
    # These have notes. Checkpoints of release 0.1.0 lack the field, and their rows had none.
    noted: bool = field(default=False, metadata=as_json(optional=True))
    hash_runs: tuple[int, ...] = ()  # sizes of the runs of hashes in the scratch
    # Parts of each run. Checkpoints of earlier versions lack the field, and their runs had 64.
    hash_parts: int = field(default=64, metadata=as_json(optional=True))
    repeats_found: bool = False  # it is known already that some id comes twice
    merge_runs: int = 0  # runs of the merge in the scratch
    # They are sorted by hash. Checkpoints of earlier versions lack the field, and their runs are by id.
    by_hash: bool = field(default=False, metadata=as_json(optional=True))
    merge_rows: int = 0  # rows that the merge has taken
    # Of the objects in the scratch. Those of earlier versions have none, and are not checked.
    sums: dict[str, Sum] = field(default_factory=dict, metadata=as_json(optional=True))
    oversized: tuple[str, ...] = ()  # SHA-256 of the ids whose merged row fits in no batch, sorted
