"""What people read of an import: report.html and the text of the notice.

A file name may be anything: it becomes one printable line, and all text is escaped. The report shows names
of columns and no row, no id and no value, and the page may neither load nor run anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from bulk_profiles.core.models import Basis, ProfileStatus
from bulk_profiles.core.text import printable
from bulk_profiles.core.timestamps import timestamp

from .split_verdict import first_examples
from .summary import Summary, batch_profiles, by_word

_MARKS = {"succeeded": "#1a7f37", "partial": "#9a6700", "failed": "#b42318", "rejected": "#b42318"}
_EVIDENCE = {
    Basis.REPORTED: "named by Target",
    Basis.IMPLIED: "implied by a complete batch",
    Basis.COUNTS: "Target counted failures without names",
    Basis.DEADLINE: "Target had not finished at the deadline",
    Basis.BATCH: "as the whole batch",
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem }
.status { color: #fff; padding: .1rem .6rem; border-radius: 1rem; font-size: 1rem; white-space: nowrap }
table { border-collapse: collapse; width: 100% } caption { text-align: left; color: #57606a }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d0d7de; overflow-wrap: anywhere }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
""".strip()


def render_text(summary: Summary) -> str:
    """Return the notice as plain text, with one fact on a line."""
    rows, profiles = summary.rows, summary.profiles
    lines = [
        f"{printable(summary.entry.source.key)}: {summary.status_line}",
        summary.reason,
        "",
        f"Rows: {rows.read} read = {rows.rejected} rejected + {rows.merged} merged"
        f" + {rows.skipped} skipped + {rows.sent} sent",
        f"Profiles: {profiles.success} success, {profiles.error} error, {profiles.pending} pending,"
        f" {profiles.unknown} unknown, {profiles.not_sent} not sent",
        f"Success: {by_word(summary.evidence) or 'none'}",
        f"Unaccounted: {summary.unaccounted}",
        f"Results: imports/{summary.entry.import_id}/ in the Data bucket",
    ]
    return "\n".join(lines)


def render_report(summary: Summary) -> str:
    """Return report.html: one page without scripts, with the same facts as summary.json."""
    entry, rows = summary.entry, summary.rows
    status, color = summary.status_line, _MARKS.get(summary.status, "#57606a")
    facts = [
        ("File", printable(entry.source.key)),
        ("Feed", entry.feed),
        ("Client code", entry.client_code),
        ("API version", entry.api_version.value),
        ("Key column", entry.key_column.value if entry.key_column else "none"),
        ("Started", timestamp(entry.started_at)),
        ("Finished", timestamp(summary.finished_at)),
    ]
    counts = [("read", rows.read), ("rejected", rows.rejected), ("merged into another row", rows.merged)]
    counts += [("skipped, no value", rows.skipped), ("sent", rows.sent)]
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(entry.import_id)}: {status}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<style>{_STYLE}</style></head><body>",
        f'<h1>{escape(entry.import_id)} <span class="status" style="background:{color}">{status}</span></h1>',
        f"<p>{escape(summary.conclusion)}</p>",
        _table("Import", ("", ""), [(escape(name), escape(value)) for name, value in facts], names=2),
        _table("Rows", ("What became of them", "Rows"), _numbers(counts)),
        _table("Profiles", ("What became of them", "Profiles"), _numbers(_outcomes(summary))),
    ]
    if summary.rejects:
        parts.append(_codes("Rejects", ("Code", "Lines", "Rows"), summary.rejects, summary.examples.rejects))
    if summary.warnings:
        where = summary.examples.columns | summary.examples.warnings
        parts.append(_codes("Warnings", ("Code", "Lines or columns", "Times"), summary.warnings, where))
    if summary.batches:
        parts.append(_batches(summary))
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _outcomes(summary: Summary) -> list[tuple[str, int]]:
    """Return the profiles by status, and below each status by the evidence for it."""
    counts = []
    for name, count in summary.profiles.to_json().items():
        evidence = summary.bases.get(ProfileStatus(name), Counter())
        shown = "not sent" if name == ProfileStatus.NOT_SENT else name
        counts.append((shown, count))
        counts += [(f"{shown}: {_EVIDENCE[basis]}", evidence[basis]) for basis in Basis if evidence[basis]]
    return [*counts, ("unaccounted", summary.unaccounted)]


def _numbers(counts: list[tuple[str, int]]) -> list[tuple[str, ...]]:
    return [(escape(name), f"{count:,}") for name, count in counts]


def _codes(
    title: str,
    head: tuple[str, str, str],
    counts: Mapping[str, int],
    examples: Mapping[str, Sequence[int | str]],
) -> str:
    rows: list[tuple[str, ...]] = [
        (escape(code), escape(first_examples(examples.get(code, ()), count)), f"{count:,}")
        for code, count in sorted(counts.items())
    ]
    return _table(title, head, rows, names=2)


def _batches(summary: Summary) -> str:
    head = (
        "Batch",
        "State",
        "Rows",
        "Bytes",
        "Submissions",
        "Checks",
        "Success",
        "Error",
        "Pending",
        "Unknown",
        "Not sent",
    )
    body = []
    for batch in summary.batches:
        counts = batch_profiles(batch)
        duplicate = ", possibly a duplicate" if batch.possibly_duplicate else ""
        reason = f": {batch.words}" if batch.words else ""
        numbers = (batch.rows, batch.size, batch.submissions, batch.checks)
        outcomes = (counts.success, counts.error, counts.pending, counts.unknown, counts.not_sent)
        body.append(
            (
                str(batch.number),
                escape(f"{batch.state}{duplicate}{reason}"),
                *(f"{number:,}" for number in (*numbers, *outcomes)),
            )
        )
    return _table("Batches", head, body, names=2)


def _table(title: str, head: tuple[str, ...], body: list[tuple[str, ...]], names: int = 1) -> str:
    """Return a section with a table of escaped cells; the columns after the first `names` have numbers."""

    def cells(tag: str, row: tuple[str, ...]) -> str:
        return "".join(
            f'<{tag} class="n">{cell}</{tag}>' if column >= names else f"<{tag}>{cell}</{tag}>"
            for column, cell in enumerate(row)
        )

    lines = [f"<h2>{title}</h2>", "<table>"]
    if any(head):
        lines.append(f"<thead><tr>{cells('th', head)}</tr></thead>")
    lines.extend(f"<tr>{cells('td', row)}</tr>" for row in body)
    lines.append("</table>")
    return "\n".join(lines)
