"""Report and notice: complete, and harmless whatever names and texts come from outside."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import override

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.accounting.report import render_report, render_text
from bulk_profiles.accounting.summary import Summary, reconcile, reject
from bulk_profiles.core.models import (
    ApiVersion,
    Basis,
    BatchState,
    Examples,
    ImportStatus,
    KeyColumn,
    Manifest,
    PlannedBatch,
    ProfileCounts,
    ProfileStatus,
    RowCounts,
    Source,
)
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><h1>Succeeded</h1>",
    "javascript:alert(1)",
    "<!-- &lt;b&gt; -->",
    "]]><svg/onload=alert(1)>",
    '=HYPERLINK("http://example.com","open")',
    "a\nUnaccounted: 0\nStatus: succeeded",
    "evil\u202efdp.csv",
    "{{7*7}} ${7*7} <%= 7*7 %>",
]


def summary(text: str = "customers.csv", reason: str = "") -> Summary:
    """Return an import of two batches, one refused with `reason`; all text from outside is `text`."""
    planned = (PlannedBatch(1, 1_200, 60_000, "aa" * 32), PlannedBatch(2, 300, 9_000, "bb" * 32))
    source = Source("drop-bucket", f"drop/default/{text}", "v1", 100_000, "ab" * 32)
    entry = ImportEntry(
        "customers-csv-0a1b2c3d4e5f",
        ImportStatus.UPLOADING,
        source,
        text,
        text,
        ApiVersion.V2,
        NOW,
        key_column=KeyColumn.THIRD_PARTY_ID,
    )
    rows = RowCounts(read=1_507, rejected=4, merged=2, skipped=1, sent=1_500)
    manifest = Manifest(
        entry.import_id,
        text,
        text,
        entry.api_version,
        KeyColumn.THIRD_PARTY_ID,
        source,
        rows,
        {"empty_id": 4},
        {"plus_sign": 7, "look_alike": 2},
        Examples(
            {"empty_id": [2, 3, 5, 1507]}, {"plus_sign": [8, 9, 10, 11, 14]}, {"look_alike": ["PC_ID", text]}
        ),
        planned,
    )
    done = BatchEntry.planned(entry.import_id, planned[0]).change(
        state=BatchState.COMPLETE,
        profiles=ProfileCounts(success=1_200),
        bases={ProfileStatus.SUCCESS: Counter({Basis.REPORTED: 200, Basis.IMPLIED: 1_000})},
        settled_at=NOW,
        submissions=1,
        checks=3,
    )
    refused = BatchEntry.planned(entry.import_id, planned[1]).change(
        state=BatchState.REFUSED,
        profiles=ProfileCounts(error=300),
        bases={ProfileStatus.ERROR: Counter({Basis.BATCH: 300})},
        settled_at=NOW,
        submissions=2,
        possibly_duplicate=True,
        reason=reason or text,
    )
    return reconcile(entry, manifest, (done, refused), NOW)


class Page(HTMLParser):
    """A page as a browser parses it: its elements with their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    @override
    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    @override
    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)  # the report has none

    def after(self, text: str, count: int = 1) -> list[str]:
        """Return the texts that follow one."""
        place = self.texts.index(text) + 1
        return self.texts[place : place + count]


def test_report_shows_every_count_and_batch() -> None:
    page = Page(render_report(summary(reason="Batch is not welcome")))
    for name, number in (
        ("read", "1,507"),
        ("rejected", "4"),
        ("merged into another row", "2"),
        ("skipped, no value", "1"),
        ("sent", "1,500"),
        ("success", "1,200"),
        ("success: named by Target", "200"),
        ("success: implied by a complete batch", "1,000"),
        ("error", "300"),
        ("error: as the whole batch", "300"),
        ("not sent", "0"),
        ("pending", "0"),
        ("unaccounted", "0"),
        ("Key column", "thirdPartyId"),
        ("Finished", "2026-11-24T09:00:00.000Z"),
    ):
        assert page.after(name) == [number], name
    assert page.after("empty_id", 2) == ["2, 3, 5, 1507", "4"]
    assert page.after("plus_sign", 2) == ["8, 9, 10, 11, 14, ...", "7"]
    assert page.after("complete", 9) == ["1,200", "60,000", "1", "3", "1,200", "0", "0", "0", "0"]
    refused = "refused, possibly a duplicate: Batch is not welcome"
    assert page.after(refused, 9) == ["300", "9,000", "2", "0", "0", "300", "0", "0", "0"]


def test_notice_shows_status_counts_and_place_of_results() -> None:
    lines = render_text(summary(reason="Batch is not welcome")).splitlines()
    assert lines[0] == "drop/default/customers.csv: partial, 4 rows rejected"
    assert "4 rows rejected of 1507 read" in lines[1]
    assert "Batch is not welcome" in lines[1]
    assert lines[3:] == [
        "Rows: 1507 read = 4 rejected + 2 merged + 1 skipped + 1500 sent",
        "Profiles: 1200 success, 300 error, 0 pending, 0 unknown, 0 not sent",
        "Success: 200 named by Target, 1000 implied by a complete batch",
        "Unaccounted: 0",
        "Results: imports/customers-csv-0a1b2c3d4e5f/ in the Data bucket",
    ]


def test_report_is_a_page_of_tables() -> None:
    """As people read it: each line is a heading, or the cells of a row; those of numbers are marked."""
    page = render_report(summary())
    head, _, body = page.partition("<body>")
    marked = body.replace(' class="n">', ">#")
    lines = [" | ".join(re.findall(r">([^<>\n]+)", line)) for line in marked.splitlines()]
    assert [line for line in lines if line] == [
        "customers-csv-0a1b2c3d4e5f  | partial, 4 rows rejected",
        "4 rows rejected of 1507 read: rejected-rows.csv has them with line and reason: mend it, and"
        " drop it as it is. Of 1500 profiles, 1200 succeeded (200 named by Target, 1000 implied by a complete"
        " batch), 300 failed. Batch 2 (300 rows): customers.csv Next: start the state machine with"
        " {&quot;importId&quot;: &quot;customers-csv-0a1b2c3d4e5f&quot;, &quot;resend&quot;:"
        " [&quot;refused&quot;]} to send them again; mend rejected-rows.csv and drop it.",
        "Import",
        "File | drop/default/customers.csv",
        "Feed | customers.csv",
        "Client code | customers.csv",
        "API version | v2",
        "Key column | thirdPartyId",
        "Started | 2026-11-24T09:00:00.000Z",
        "Finished | 2026-11-24T09:00:00.000Z",
        "Rows",
        "What became of them | #Rows",
        "read | #1,507",
        "rejected | #4",
        "merged into another row | #2",
        "skipped, no value | #1",
        "sent | #1,500",
        "Profiles",
        "What became of them | #Profiles",
        "success | #1,200",
        "success: named by Target | #200",
        "success: implied by a complete batch | #1,000",
        "error | #300",
        "error: as the whole batch | #300",
        "pending | #0",
        "unknown | #0",
        "not sent | #0",
        "unaccounted | #0",
        "Rejects",
        "Code | Lines | #Rows",
        "empty_id | 2, 3, 5, 1507 | #4",
        "Warnings",
        "Code | Lines or columns | #Times",
        "look_alike | PC_ID, customers.csv | #2",
        "plus_sign | 8, 9, 10, 11, 14, ... | #7",
        "Batches",
        "Batch | State | #Rows | #Bytes | #Submissions | #Checks | #Success | #Error | #Pending | #Unknown"
        " | #Not sent",
        "1 | complete | #1,200 | #60,000 | #1 | #3 | #1,200 | #0 | #0 | #0 | #0",
        "2 | refused, possibly a duplicate: customers.csv | #300 | #9,000 | #2 | #0 | #0 | #300 | #0 | #0"
        " | #0",
    ]
    assert head.splitlines()[:3] == [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">'
        "<title>customers-csv-0a1b2c3d4e5f: partial, 4 rows rejected</title>",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
    ]
    assert body.endswith("\n</table>\n</body></html>\n")


@pytest.mark.parametrize(
    ("status", "color"),
    [("succeeded", "#1a7f37"), ("partial", "#9a6700"), ("failed", "#b42318"), ("rejected", "#b42318")],
)
def test_report_has_a_colour_for_each_end(status: str, color: str) -> None:
    ended = dataclasses.replace(summary(), status=ImportStatus(status))
    assert f'<span class="status" style="background:{color}">{status}' in render_report(ended)


def test_report_of_a_rejected_file_shows_its_reason() -> None:
    rejected = reject(summary().entry, "The file is empty.", NOW)
    page = Page(render_report(rejected))
    assert "The file is empty." in page.texts
    assert "Batches" not in page.texts
    assert render_text(rejected).startswith("drop/default/customers.csv: rejected\nThe file is empty.\n")


def test_report_of_a_success_shows_rejected_rows_beside_the_status() -> None:
    page = Page(render_report(dataclasses.replace(summary(), status=ImportStatus.SUCCEEDED)))
    assert page.texts.count("succeeded, 4 rows rejected") == 1
    assert "customers-csv-0a1b2c3d4e5f: succeeded, 4 rows rejected" in page.texts
    assert not [text for text in page.texts if "succeeded" in text and "4 rows rejected" not in text]


def test_report_of_a_reject_without_lines_has_an_empty_cell() -> None:
    older = dataclasses.replace(summary(), rejects={"older_version": 3}, examples=Examples())
    assert Page(render_report(older)).after("older_version", 1) == ["3"]


def test_report_of_a_success_without_reason_says_so() -> None:
    sound = dataclasses.replace(summary(), reason="", status=ImportStatus.SUCCEEDED, rows=RowCounts())
    words = "Every row reached Target: 200 named by Target, 1000 implied by a complete batch."
    assert words in Page(render_report(sound)).texts


@pytest.mark.fault(63, "A file name that is HTML or a formula")
@pytest.mark.parametrize("text", HOSTILE)
def test_report_escapes_text_from_outside(text: str) -> None:
    page, harmless = Page(render_report(summary(text))), Page(render_report(summary("customers.csv")))
    assert page.elements == harmless.elements
    assert len(page.texts) == len(harmless.texts)
    for name in ("Feed", "Client code"):
        assert page.after(name) == [text.strip()]


@given(st.text(min_size=1))
def test_report_has_the_same_elements_for_any_text(text: str) -> None:
    assert Page(render_report(summary(text))).elements == Page(render_report(summary("a"))).elements


def test_report_loads_and_runs_nothing() -> None:
    page = Page(render_report(summary()))
    assert {tag for tag, _ in page.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span"),
        *("table", "thead", "tr", "th", "td"),
    }
    assert {name for _, attributes in page.elements for name, _ in attributes} <= {
        *("lang", "charset", "name", "content", "http-equiv", "class", "style"),
    }
    policy = (
        ("http-equiv", "Content-Security-Policy"),
        ("content", "default-src 'none'; style-src 'unsafe-inline'"),
    )
    assert ("meta", policy) in page.elements


@pytest.mark.parametrize(
    "text", ["a\nUnaccounted: 0", "a\r\nb", "a\u2028b", "a\x85b", "a\x1b[2Jb", "a\u202eb"]
)
def test_notice_with_a_hostile_name_keeps_its_lines(text: str) -> None:
    notification = render_text(summary(text, reason="No."))
    assert len(notification.splitlines()) == len(render_text(summary("a", reason="No.")).splitlines())
    assert not any(sign in notification for sign in ("\x1b", "\u202e", "\u2028"))
    assert Page(render_report(summary(text))).after("File")[0].isprintable()
