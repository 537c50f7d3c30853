"""Derived names."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core import names
from bulk_profiles.core.names import (
    batch_name,
    body_name,
    feed_key,
    feed_name,
    follow_up_name,
    import_id,
    import_prefix,
    misplaced,
    object_key,
    passed_over,
    profiles_name,
    results_prefix,
)


def test_import_id_is_a_slug_and_a_digest() -> None:
    assert (
        import_id("drop-bucket", "drop/default/Customers 2026.csv", "v1") == "customers-2026-csv-eb8223a3d20c"
    )


@pytest.mark.parametrize(
    ("key", "slug"),
    [
        ("drop/crm/customers.csv", "customers-csv"),
        ("customers.csv", "customers-csv"),
        ("drop/crm/Été à Zürich.CSV", "ete-a-zurich-csv"),
        ("drop/crm/a+b%20c&d=e.csv", "a-b-20c-d-e-csv"),
        ("drop/crm/__a__.csv", "a-csv"),
        ("drop/crm/顧客.", "file"),
        ("drop/crm/😀😀", "file"),
        ("drop/crm/", "file"),
        ("", "file"),
        ("drop/crm/" + "a" * 41, "a" * 40),
        ("drop/crm/" + "a" * 39 + "-b", "a" * 39),
        ("drop/crm/<b>=cmd|'/C calc'!A0", "c-calc-a0"),
    ],
)
def test_import_id_slug_has_the_ascii_of_the_file_name(key: str, slug: str) -> None:
    name, _, digest = import_id("bucket", key, "v1").rpartition("-")
    assert name == slug
    assert re.fullmatch("[0-9a-f]{12}", digest)


@given(st.text(), st.text(), st.text())
def test_import_id_of_any_version_may_name_an_execution(bucket: str, key: str, version: str) -> None:
    name = import_id(bucket, key, version)
    assert re.fullmatch("[a-z0-9-]{1,80}", name)
    assert name == import_id(bucket, key, version)


plain = st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]))


@given(st.sets(st.tuples(plain, plain, plain), min_size=2, max_size=2))
def test_import_id_differs_by_bucket_key_and_version(versions: set[tuple[str, str, str]]) -> None:
    assert len({import_id(*version) for version in versions}) == 2


@pytest.mark.parametrize(
    ("key", "feed"),
    [
        ("drop/crm/customers.csv", "crm"),
        ("drop/crm/2026/11/customers.csv", "crm"),
        ("drop/default/customers.csv", "default"),
        ("drop/customers.csv", "default"),
        ("drop//customers.csv", "default"),
        ("customers.csv", "default"),
        ("crm/customers.csv", "crm"),
        ("drop/crm/", "crm"),
        ("drop/", "default"),
        ("", "default"),
    ],
)
def test_feed_name_is_the_first_folder_or_default(key: str, feed: str) -> None:
    assert feed_name(key) == feed


@given(st.text(st.characters(blacklist_characters="/"), min_size=1), st.text())
def test_feed_name_may_be_any_folder(feed: str, rest: str) -> None:
    assert feed_name(f"drop/{feed}/{rest}") == feed


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("drop/crm/", "it is the marker of a folder"),
        ("drop/", "it is the marker of a folder"),
        ("elsewhere/", "it is the marker of a folder"),
        ("drop/crm/_SUCCESS", "a name in its path begins with _"),
        ("drop/_SUCCESS", "a name in its path begins with _"),
        ("_SUCCESS", "a name in its path begins with _"),
        ("drop/crm/_temporary/0/part-0000", "a name in its path begins with _"),
        ("drop/_temporary/0/part-0000", "a name in its path begins with _"),
        ("drop/crm/_temporary/0/customers.csv.gz", "a name in its path begins with _"),
        ("drop/crm/2026/__magic_job-1/part-0000.csv", "a name in its path begins with _"),
        ("drop/crm/.part-0000.csv.crc", "a name in its path begins with ."),
        ("drop/crm/.DS_Store", "a name in its path begins with ."),
        ("drop/.hive-staging_1/000000_0", "a name in its path begins with ."),
        ("drop/crm/...csv", "a name in its path begins with ."),
        ("drop/crm/2026_$folder$", "its name ends in _$folder$"),
        ("drop/crm/customers.csv.crc", "its name ends in .crc"),
        ("drop/crm/customers.csv.MD5", "its name ends in .md5"),
        ("drop/crm/customers.csv.sha1", "its name ends in .sha1"),
        ("drop/crm/customers.csv.sha256", "its name ends in .sha256"),
        ("drop/crm/customers.csv.sha512", "its name ends in .sha512"),
        ("drop/crm/customers.tmp", "its name ends in .tmp"),
        ("drop/crm/customers.csv.part", "its name ends in .part"),
        ("drop/crm/customers.csv.filepart", "its name ends in .filepart"),
        ("drop/crm/customers.csv.1a2b.partial", "its name ends in .partial"),
        ("drop/crm/customers.csv._COPYING_", "its name ends in ._COPYING_"),
        ("drop/crm/customers.csv.swp", "its name ends in .swp"),
    ],
)
def test_passed_over_of_a_hidden_or_temporary_object_is_the_reason(key: str, reason: str) -> None:
    assert passed_over(key) == reason


@pytest.mark.parametrize(
    "key",
    [
        "drop/crm/customers.csv",
        "drop/customers",
        "drop/crm/part-0000",
        "drop/crm/part_0000.csv",
        "drop/crm/customers_.csv",
        "drop/crm/customers.tmp.csv",
        "drop/crm/out.part/part-0000",
        "drop/crm/apart",
        "drop/crm/date=_none/part-0000.csv",
        "drop/crm/./customers.csv",  # as `find . -name "*.csv"` prints it
        "drop/crm/../customers.csv",
        "drop//customers.csv",
        "elsewhere/customers.csv",
    ],
)
def test_passed_over_of_a_file_is_empty(key: str) -> None:
    assert passed_over(key) == ""


@given(st.text(), st.sampled_from(names.PASSED_OVER_SUFFIXES))
def test_passed_over_never_quotes_the_key(name: str, suffix: str) -> None:
    reasons = {passed_over("/x" + suffix), "a name in its path begins with _"}
    reasons |= {"a name in its path begins with ."}
    assert passed_over(f"drop/{name}/canary{suffix}") in reasons


@pytest.mark.parametrize(
    "key",
    [
        "drop/customers.csv",
        "drop//customers.csv",
        "drop/default/customers.csv",
        "drop/Crm_2.eu-west/2026/ü/customers.csv",
        "drop/7/customers.csv",
        "drop/" + "f" * 64 + "/customers.csv",
    ],
)
def test_misplaced_of_a_file_below_a_feed_is_empty(key: str) -> None:
    assert misplaced(key) == ""


@pytest.mark.parametrize(
    "key", ["customers.csv", "crm/customers.csv", "Drop/crm/customers.csv", "drops/a.csv", "/drop/a.csv", ""]
)
def test_misplaced_of_a_file_beside_drop_is_a_sentence(key: str) -> None:
    assert misplaced(key) == "The file is not below drop/: drop it as drop/<feed>/<name>."


@pytest.mark.parametrize(
    "feed", ["f" * 65, "-crm", "a b", "café", "crm+eu", "..", "crm\n", "顧客", "a%20b", "<script>"]
)
def test_misplaced_of_a_folder_that_cannot_be_a_feed_is_a_sentence(feed: str) -> None:
    assert misplaced(f"drop/{feed}/customers.csv") == (
        "The folder below drop/ cannot be a feed: the name of a feed has at most 64 letters, digits, dots, "
        "hyphens and underscores, and begins with a letter or a digit."
    )


def test_object_key_is_below_the_folder_of_the_import() -> None:
    assert import_prefix("crm-1") == "imports/crm-1/"
    assert object_key("crm-1", names.MANIFEST) == "imports/crm-1/manifest.json"
    assert object_key("crm-1", names.REJECTED_ROWS) == "imports/crm-1/rejected-rows"
    assert object_key("crm-1", names.SUMMARY) == "imports/crm-1/summary.json"
    assert object_key("crm-1", names.REPORT) == "imports/crm-1/report.html"
    assert object_key("crm-1", batch_name(7)) == "imports/crm-1/batches/00007.batch"
    assert object_key("crm-1", profiles_name(7)) == "imports/crm-1/profiles/00007.csv.gz"
    assert feed_key("crm") == "feeds/crm.json"


@given(st.lists(st.integers(1, 99_999), unique=True))
def test_batch_names_sort_by_number(numbers: list[int]) -> None:
    for name in (batch_name, profiles_name):
        assert sorted(map(name, numbers)) == [name(number) for number in sorted(numbers)]


def test_results_prefix_never_leaves_its_folder() -> None:
    at = datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)
    assert (
        results_prefix("drop/../..", "x-0a1b2c3d4e5f", at) == "results/_/_/2026-11-27T010203Z-0a1b2c3d4e5f/"
    )
    assert results_prefix("drop/./a.csv", "a-csv-0a1b2c3d4e5f", at).startswith("results/_/a.csv/")


def test_body_of_the_first_attempt_is_the_batch_and_of_later_ones_a_follow_up() -> None:
    assert body_name(7, 1) == batch_name(7)
    assert [body_name(7, attempt) for attempt in (2, 3)] == [follow_up_name(7, 2), follow_up_name(7, 3)]
