"""What a split has kept is what it wrote, or the split ends: no batch is made of anything else."""

from __future__ import annotations

import copy
import functools
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from bulk_profiles.core.errors import DamagedScratchError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.batches import external_sort, merged_rows, repeated_ids
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.checked_scratch import CheckedScratch, Sum
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.splitting.files import Folder
from bulk_profiles.splitting.reading import delimited
from bulk_profiles.splitting.split import split
from tests.worlds.splitting import MemoryFile, MemoryFolder

KINDS = ("hashes", "repeated", "by-hash", "by-place", "merged", "rejected-rows")
FILE = b"pcId,a,b\n" + b"".join(
    b"%d,%s,%d\n" % (number * 7 % 60, b"x" * (number % 5), number) + b",y,z\n" * (number % 9 == 0)
    for number in range(100)
)
LIMITS = Limits(max_batch_rows=10)
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "empty": lambda _: b"",
    "longer": lambda data: data + data,
    "one byte longer": lambda data: data + b"\n",
    "zeros": lambda data: bytes(len(data)),
    "one bit": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "other numbers": lambda data: b"\xff" * 9 + data[9:],
    "other order": lambda data: data[len(data) // 2 :] + data[: len(data) // 2],
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all kinds of objects in the scratch, and several of each."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 50)
    monkeypatch.setattr(repeated_ids, "RUN_HASHES", 30)
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", 4000)
    monkeypatch.setattr(merged_rows, "_PARTS", 4)
    monkeypatch.setattr(merged_rows, "_HASHES", merged_rows._HASHES[::256].copy())


def _split(scratch: Any, checkpoint: Any = None, *, stop: bool = False) -> tuple[Any, dict[str, bytes]]:
    output = MemoryFolder()
    result = split(
        MemoryFile(FILE),
        Feed(),
        LIMITS,
        output,
        scratch=scratch,
        checkpoint=checkpoint,
        out_of_time=(lambda: True) if stop else None,
    )
    return result, output.objects


def _stops() -> Iterator[tuple[Any, MemoryFolder]]:
    """Yield each checkpoint of a split with the scratch at that time."""
    scratch, checkpoint = MemoryFolder(), None
    while True:
        try:
            _split(scratch, checkpoint, stop=True)
        except OutOfTimeError as stopped:
            checkpoint = stopped.checkpoint
            yield copy.deepcopy(checkpoint), copy.deepcopy(scratch)
        else:
            return


@functools.cache
def _whole_and_stops() -> tuple[Any, list[tuple[Any, MemoryFolder]]]:
    return _split(MemoryFolder())[0], [*_stops()]


@pytest.mark.parametrize(("first", "damage"), [*enumerate([*DAMAGES, "missing"])])
def test_damaged_object_of_an_earlier_invocation_is_an_error(first: int, damage: str) -> None:
    """Unless it is not needed any more, as the merged rows that are in batches.

    Each damage is done at one in five checkpoints, so that each checkpoint has two of them, and at the first
    that has merged rows.
    """
    (whole, stops), found = _whole_and_stops(), set[str]()
    final = next(stop for stop in stops if stop[0]["phase"] == "final")
    for checkpoint, scratch in [final, *stops[first % 5 :: 5]]:
        for name, data in list(scratch.objects.items()):
            damaged = MemoryFolder()
            damaged.objects = dict(scratch.objects)
            del damaged.objects[name]
            if damage != "missing":
                damaged.objects[name] = DAMAGES[damage](data)
            if damaged.objects.get(name) == data:
                continue
            try:
                assert _split(damaged, copy.deepcopy(checkpoint))[0] == whole
            except DamagedScratchError as error:
                found.add(str(error).split("'")[1].rsplit("-", 1)[0])
    expected = {"hashes", "repeated", "by-hash", "rejected-rows"}
    assert found >= expected | ({"merged"} if damage != "other numbers" else set())


class _DamagingScratch(MemoryFolder):
    """A scratch that damages objects of a kind at once."""

    def __init__(self, kind: str, damage: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._kind = kind
        self._damage = damage
        self.damaged = False

    def open(self, name: str, start: int = 0) -> BinaryIO:
        data = self.objects[name]
        if name.startswith(self._kind):
            data = self._damage(data)
            self.damaged |= data != self.objects[name]
        return io.BytesIO(data[start:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_object_of_the_same_invocation_is_an_error(damage: str, kind: str) -> None:
    scratch = _DamagingScratch(kind, DAMAGES[damage])
    with pytest.raises(DamagedScratchError, match=f"'{kind}"):
        _split(scratch)
    assert scratch.damaged


def test_damaged_part_leaves_no_file_of_rejected_rows(tmp_path: Path) -> None:
    scratch = _DamagingScratch("rejected-rows", DAMAGES["zeros"])
    with pytest.raises(DamagedScratchError):
        split(MemoryFile(FILE), Feed(), LIMITS, Folder(tmp_path), scratch=scratch)
    assert not list(tmp_path.glob("rejected-rows*"))


def test_object_of_another_attempt_is_an_error() -> None:
    """It has the name and the form of the right one."""
    checkpoint, scratch = next(stop for stop in _stops() if stop[0]["phase"] == "final")
    other = FILE.replace(b"x", b"v")
    attempt = MemoryFolder()
    split(MemoryFile(other), Feed(), LIMITS, MemoryFolder(), scratch=attempt)
    assert len(attempt.objects["merged"]) == len(scratch.objects["merged"])
    scratch.objects["merged"] = attempt.objects["merged"]
    with pytest.raises(DamagedScratchError, match=r"'merged' .* split the file again from its start"):
        _split(scratch, checkpoint)


@pytest.mark.parametrize(
    "damage", [{"phase": "other"}, {"tally": None}, {"sums": {"merged": [1]}}, {"done": "x"}]
)
def test_checkpoint_without_the_form_of_one_is_an_error(damage: dict[str, Any]) -> None:
    checkpoint, scratch = next(_stops())
    with pytest.raises(DamagedScratchError, match=r"checkpoint\.json"):
        _split(scratch, checkpoint | damage)


def test_split_of_an_earlier_version_goes_on_without_sums() -> None:
    whole = _split(MemoryFolder())[0]
    stops = 0
    for checkpoint, scratch in _stops():
        for name in ("sums", "merged_crc"):
            del checkpoint[name]
        assert _split(scratch, checkpoint)[0] == whole
        stops += 1
    assert stops > 20


def test_error_that_no_damage_explains_is_raised_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("another one")

    monkeypatch.setattr("bulk_profiles.splitting.job.MergedRowReader", fail)
    with pytest.raises(ValueError, match="another one"):
        _split(MemoryFolder())


def test_sums_know_what_was_committed_only() -> None:
    scratch = CheckedScratch(MemoryFolder(), {})
    scratch.create("a").write(b"x")
    sink = scratch.create("b")
    sink.write(b"1234")
    sink.write(memoryview(b"56789"))
    sink.commit()
    assert scratch.sums == {"b": Sum(9, 0xCBF43926)}  # the check value of CRC-32
