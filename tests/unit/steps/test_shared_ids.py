"""Whether two imports have an id in common. Where nobody can say, they have: to wait is safe."""

from __future__ import annotations

import dataclasses

import pytest

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.models import ApiVersion, KeyColumn, Manifest, PlannedBatch, RowCounts, Source
from bulk_profiles.core.names import MANIFEST, batch_name, object_key
from bulk_profiles.steps import shared_ids
from bulk_profiles.steps.shared_ids import sharing_ids


def manifest(import_id: str, batches: int, rows: int = 0) -> Manifest:
    return Manifest(
        import_id=import_id,
        feed="crm",
        client_code="demo",
        api_version=ApiVersion.V2,
        key_column=KeyColumn.THIRD_PARTY_ID,
        source=Source("drop-bucket", "drop/crm/crm.csv", "v1"),
        rows=RowCounts(read=rows, sent=rows),
        batches=tuple(PlannedBatch(number, 1, 1, "aa") for number in range(1, batches + 1)),
    )


def split(storage: Storage, import_id: str, *batches: list[str]) -> Manifest:
    """Store an import with these ids in its batches, without the manifest."""
    for number, ids in enumerate(batches, 1):
        body = "batch=thirdPartyId,name\n" + "\n".join(f"{profile_id},x" for profile_id in ids)
        storage.write(object_key(import_id, batch_name(number)), body.encode(), "text/plain")
    return manifest(import_id, len(batches), sum(map(len, batches)))


def entered(storage: Storage, import_id: str, *batches: list[str]) -> Manifest:
    """Store an import as a split leaves it."""
    made = split(storage, import_id, *batches)
    storage.write_json(object_key(import_id, MANIFEST), made.to_json())
    return made


OURS = (["u1", "u2"], ["u3"])


@pytest.mark.parametrize(
    ("theirs", "shared"),
    [
        ([["u3"]], True),
        ([["a"], ["b", "u1"]], True),
        ([["a", "b"], ["c"]], False),
        ([["u"], ["u11", "1u"]], False),
        ([["thirdPartyId", "batch=thirdPartyId"]], False),  # the header is no id
        ([], False),
    ],
)
def test_sharing_ids_finds_an_id_in_any_two_batches(
    storage: Storage, theirs: list[list[str]], *, shared: bool
) -> None:
    ours = split(storage, "ours-1", *OURS)
    entered(storage, "theirs-1", *theirs)
    assert sharing_ids(ours, ["theirs-1"], storage) == (["theirs-1"] if shared else [])


def test_sharing_ids_names_each_import_that_shares(storage: Storage) -> None:
    ours = split(storage, "ours-1", *OURS)
    for name, ids in {"a-1": ["u1"], "b-1": ["x"], "c-1": ["y", "u3"]}.items():
        entered(storage, name, ids)
    assert sharing_ids(ours, ["a-1", "b-1", "c-1"], storage) == ["a-1", "c-1"]


@pytest.mark.parametrize("block_bytes", range(1, 12))
def test_sharing_ids_reads_whole_ids_whatever_the_blocks(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    """A block that ended within an id would hide it, and find half of another one."""
    monkeypatch.setattr(shared_ids, "_BLOCK_BYTES", block_bytes)
    ours = split(storage, "ours-1", ["customer-1", "customer-22"])
    entered(storage, "theirs-1", ["x", "customer-22"])
    entered(storage, "theirs-2", ["customer", "customer-2", "omer-22", "2"])
    assert sharing_ids(ours, ["theirs-1", "theirs-2"], storage) == ["theirs-1"]


def test_sharing_ids_of_an_import_without_a_manifest_is_assumed(storage: Storage) -> None:
    """It is still being split."""
    assert sharing_ids(split(storage, "ours-1", *OURS), ["theirs-1"], storage) == ["theirs-1"]


@pytest.mark.parametrize("damaged", [b"{}", b"{", b"[]", b'{"importId": "theirs-1", "rows": 5}'])
def test_sharing_ids_of_an_import_with_a_damaged_manifest_is_assumed(
    storage: Storage, damaged: bytes
) -> None:
    storage.write(object_key("theirs-1", MANIFEST), damaged, "application/json")
    assert sharing_ids(split(storage, "ours-1", *OURS), ["theirs-1"], storage) == ["theirs-1"]


def test_sharing_ids_of_an_import_whose_batches_are_gone_is_assumed(storage: Storage) -> None:
    """They may have been deleted by hand, and nobody can say any more what was in them."""
    theirs = manifest("theirs-1", 1)
    storage.write_json(object_key("theirs-1", MANIFEST), theirs.to_json())
    assert sharing_ids(split(storage, "ours-1", *OURS), ["theirs-1"], storage) == ["theirs-1"]


@pytest.mark.parametrize(
    ("most", "named"), [(9, []), (8, ["c-1"]), (6, ["b-1", "c-1"]), (2, ["a-1", "b-1", "c-1"])]
)
def test_sharing_ids_is_assumed_of_imports_that_are_too_large_to_look_at(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, most: int, named: list[str]
) -> None:
    """The split has minutes, not hours, and its memory is bounded."""
    monkeypatch.setattr(shared_ids, "MAX_ROWS", most)
    ours = split(storage, "ours-1", *OURS)
    for name in ("a-1", "b-1", "c-1"):
        entered(storage, name, ["x", "y"])
    assert sharing_ids(ours, ["a-1", "b-1", "c-1"], storage) == named


@pytest.mark.parametrize("change", [{"client_code": "other"}, {"key_column": KeyColumn.PC_ID}])
def test_sharing_ids_of_another_kind_of_id_is_ruled_out(storage: Storage, change: dict[str, str]) -> None:
    theirs = dataclasses.replace(split(storage, "theirs-1", *OURS), **change)  # type: ignore[arg-type]
    storage.write_json(object_key("theirs-1", MANIFEST), theirs.to_json())
    assert sharing_ids(split(storage, "ours-1", *OURS), ["theirs-1"], storage) == []


def test_sharing_ids_without_others_reads_nothing(storage: Storage) -> None:
    assert sharing_ids(manifest("ours-1", 1), [], storage) == []


def test_sharing_ids_of_an_import_without_rows_is_empty(storage: Storage) -> None:
    entered(storage, "theirs-1", ["u1"])
    assert sharing_ids(manifest("ours-1", 0), ["theirs-1"], storage) == []
