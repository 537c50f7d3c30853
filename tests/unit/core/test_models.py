"""The nouns of an import, and their JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import (
    ApiVersion,
    Bases,
    Basis,
    Examples,
    ImportStatus,
    KeyColumn,
    Manifest,
    PlannedBatch,
    ProfileCounts,
    ProfileStatus,
    RowCounts,
    Source,
    add_bases,
)

counts = st.integers(0, 10**9)
text = st.text(st.characters(blacklist_categories=["Cs"]))
sources = st.builds(Source, bucket=text, key=text, version_id=text, size=counts, sha256=text)
row_counts = st.builds(RowCounts, read=counts, rejected=counts, merged=counts, skipped=counts, sent=counts)
profile_counts = st.builds(
    ProfileCounts, success=counts, error=counts, pending=counts, unknown=counts, not_sent=counts
)
batches = st.builds(PlannedBatch, number=counts, rows=counts, size=counts, sha256=text)
lines = st.dictionaries(text, st.lists(counts, max_size=5), max_size=3)
manifests = st.builds(
    Manifest,
    import_id=text,
    feed=text,
    client_code=text,
    api_version=st.sampled_from(ApiVersion),
    key_column=st.sampled_from(KeyColumn),
    source=sources,
    rows=row_counts,
    rejects=st.dictionaries(text, counts, max_size=3),
    warnings=st.dictionaries(text, counts, max_size=3),
    examples=st.builds(Examples, rejects=lines, warnings=lines),
    batches=st.lists(batches, max_size=3).map(tuple),
)


def through_json(data: Json) -> Any:
    return json.loads(json.dumps(data))


@given(st.one_of(sources, row_counts, profile_counts, batches, manifests))
def test_models_are_read_back_as_they_were_written(
    model: Source | RowCounts | ProfileCounts | PlannedBatch | Manifest,
) -> None:
    assert type(model).from_json(through_json(model.to_json())) == model


def test_manifest_to_json_in_full() -> None:
    manifest = Manifest(
        import_id="crm-0a1b2c3d4e5f",
        feed="crm",
        client_code="demo",
        api_version=ApiVersion.V2,
        key_column=KeyColumn.THIRD_PARTY_ID,
        source=Source("drop-bucket", "drop/crm/crm.csv", "v1", 1234, "ab"),
        rows=RowCounts(read=10, rejected=1, merged=2, skipped=3, sent=4),
        rejects={"no_values": 1, "empty_id": 2},
        warnings={"separator_in_value": 3, "long_id": 4},
        examples=Examples({"no_values": [7], "empty_id": [3, 5]}, {"long_id": [2]}, {"b": ["c"], "a": ["d"]}),
        batches=(PlannedBatch(1, 4, 99, "cd"),),
    )
    assert json.dumps(manifest.to_json()) == (
        '{"importId": "crm-0a1b2c3d4e5f", "feed": "crm", "clientCode": "demo", "apiVersion": "v2",'
        ' "keyColumn": "thirdPartyId", "source": {"bucket": "drop-bucket", "key": "drop/crm/crm.csv",'
        ' "versionId": "v1", "bytes": 1234, "sha256": "ab", "modifiedAt": ""},'
        ' "rows": {"read": 10, "rejected": 1, "merged": 2, "skipped": 3, "sent": 4},'
        ' "rejects": {"empty_id": 2, "no_values": 1},'
        ' "warnings": {"long_id": 4, "separator_in_value": 3},'
        ' "examples": {"rejects": {"empty_id": [3, 5], "no_values": [7]}, "warnings": {"long_id": [2]},'
        ' "columns": {"a": ["d"], "b": ["c"]}},'
        ' "batches": [{"number": 1, "rows": 4, "bytes": 99, "sha256": "cd"}], "advice": "",'
        ' "rejectedRows": ""}'
    )


def test_manifest_of_an_earlier_version_has_no_examples_and_no_advice() -> None:
    manifest = Manifest("i", "f", "c", ApiVersion.V1, KeyColumn.PC_ID, Source("b", "k", "v"), RowCounts())
    written = {key: value for key, value in manifest.to_json().items() if key not in {"examples", "advice"}}
    assert Manifest.from_json(written) == manifest


def test_profile_counts_to_json_in_full() -> None:
    counts = {"success": 1, "error": 2, "pending": 3, "unknown": 4, "notSent": 5}
    assert ProfileCounts(1, 2, 3, 4, 5).to_json() == counts
    assert ProfileCounts.from_json(counts).total == sum(counts.values())
    assert list(counts) == list(ProfileStatus)
    assert ProfileCounts(1, 2, 3, 4, 5) + ProfileCounts(not_sent=1) == ProfileCounts(1, 2, 3, 4, 6)


def test_profile_counts_of_bases_are_their_sums() -> None:
    first: Bases = {ProfileStatus.SUCCESS: Counter({Basis.REPORTED: 1, Basis.IMPLIED: 2})}
    second: Bases = {
        ProfileStatus.SUCCESS: Counter({Basis.IMPLIED: 3}),
        ProfileStatus.NOT_SENT: Counter({Basis.BATCH: 4}),
    }
    both = add_bases([first, second])
    assert both == {
        ProfileStatus.SUCCESS: {Basis.REPORTED: 1, Basis.IMPLIED: 5},
        ProfileStatus.NOT_SENT: {Basis.BATCH: 4},
    }
    assert ProfileCounts.of(both) == ProfileCounts(success=6, not_sent=4)


@pytest.mark.parametrize("change", [{"apiVersion": "v3"}, {"keyColumn": "thirdpartyid"}])
def test_manifest_with_an_unknown_word_is_refused(change: Json) -> None:
    manifest = Manifest("i", "f", "c", ApiVersion.V1, KeyColumn.PC_ID, Source("b", "k", "v"), RowCounts())
    with pytest.raises(ValueError, match="is not a valid"):
        Manifest.from_json(manifest.to_json() | change)


@given(row_counts)
def test_row_counts_unaccounted_is_the_difference(rows: RowCounts) -> None:
    assert rows.read == rows.rejected + rows.merged + rows.skipped + rows.sent + rows.unaccounted


@given(profile_counts, profile_counts)
def test_profile_counts_add_up_by_status(one: ProfileCounts, other: ProfileCounts) -> None:
    both = one + other
    assert both.total == one.total + other.total
    assert both.to_json() == {word: one.to_json()[word] + other.to_json()[word] for word in one.to_json()}
    assert one + ProfileCounts() == one


def test_import_status_final_is_true_for_the_last_four() -> None:
    assert [status.value for status in ImportStatus if status.final] == [
        "succeeded",
        "partial",
        "failed",
        "rejected",
    ]
