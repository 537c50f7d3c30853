"""The sample of an import: profiles that are a success, chosen at random, with the values that were sent."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote

from bulk_profiles.accounting.profile_results import FORGOTTEN, read_results
from bulk_profiles.accounting.verification import Difference
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.json_object import JsonObject
from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.core.names import batch_name, object_key, profiles_name
from bulk_profiles.ledger.batch_entry import BatchEntry

_PREFIX = b"batch="


@dataclass(frozen=True, slots=True)
class Sampled(JsonObject):
    """A profile of the sample, and what is known of it."""

    profile_id: str
    values: dict[str, str]  # that were sent, without empty ones
    sent_at: datetime | None  # when Target took its batch; None where that was sent more than once
    looks: int = 0  # at the profile, with an answer
    failures: int = 0  # to read it, in a row
    found: dict[str, Difference] = field(default_factory=dict)  # by attribute, at the last look

    @property
    def differs(self) -> bool:
        """Whether a value is not as it was sent, and nobody has changed it since."""
        return any(kind is not Difference.NEWER for kind in self.found.values())


@dataclass(frozen=True, slots=True)
class Sample(JsonObject):
    """The sample of an import, and how far the reading has come."""

    execution: str  # of the state machine, for which it was chosen
    wanted: int
    begun_at: datetime
    look_at: datetime  # nothing is read before
    successes: int = 0  # of the import
    batches: int = 0  # of these, how many the sample has been taken from
    chosen: bool = False  # whether it is complete
    looks: int = 1  # at each profile that differs, in this round
    done: bool = False
    deferrals: int = 0  # times in a row that the budget made it wait
    reason: str = ""  # of the last reading that failed
    profiles: tuple[Sampled, ...] = ()


def choose(
    sample: Sample, batches: list[BatchEntry], seed: str, storage: Storage, out_of_time: Callable[[], bool]
) -> Sample:
    """Take the sample from all batches, or from as many as there is time for. A seed gives one sample."""
    chance = random.Random(seed)  # noqa: S311 no secret
    numbers = sorted(chance.sample(range(sample.successes), min(sample.wanted, sample.successes)))
    first, taken = 0, False
    for place, batch in enumerate(batches):
        last = first + batch.profiles.success
        if place >= sample.batches:
            if taken and out_of_time():
                return sample
            taken = True
            chosen = {number - first for number in numbers if first <= number < last}
            profiles = (*sample.profiles, *(_profiles(batch, chosen, storage) if chosen else ()))
            sample = dataclasses.replace(sample, batches=place + 1, profiles=profiles)
        first = last
    return dataclasses.replace(sample, chosen=True)


def _profiles(batch: BatchEntry, chosen: set[int], storage: Storage) -> Iterator[Sampled]:
    """Yield the chosen ones of a batch's successes, numbered in the order of its rows."""
    results = read_results(storage, object_key(batch.import_id, profiles_name(batch.number)))
    with storage.open(object_key(batch.import_id, batch_name(batch.number))) as body:
        names = [_decoded(cell) for cell in body.readline().removeprefix(_PREFIX).rstrip(b"\n").split(b",")]
        successes = (
            (result.profile_id, row)
            for result, row in zip(results, body, strict=False)
            if result.status is ProfileStatus.SUCCESS
        )
        for number, (profile_id, row) in enumerate(itertools.islice(successes, max(chosen) + 1)):
            if number in chosen and profile_id != FORGOTTEN:
                cells = map(_decoded, row.rstrip(b"\n").split(b","))
                values = {
                    name: cell
                    for name, cell in zip(names[1:], itertools.islice(cells, 1, None), strict=False)
                    if cell
                }
                sent_at = batch.accepted_at if batch.submissions == 1 else None
                yield Sampled(profile_id, values, sent_at)


def _decoded(cell: bytes) -> str:
    return unquote(cell.decode())
