"""What people read of an import: report.html and the text of the notice.

The page may neither load nor run anything. Its template is beside this module; whatever is put into it is
escaped.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_profiles.core.json_object import Json
from bulk_profiles.core.text import printable

from .account import ToDo, account
from .evidence import by_word
from .summary import Summary

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = Path(__file__).with_name("report.html.jinja")
_COLUMNS = ("Rows", "Updated", "Failed", "Pending", "Unknown", "Not sent", "Submissions", "Checks")


def render_text(summary: Summary) -> str:
    """Return the notice as plain text, with one fact on a line."""
    rows, profiles = summary.rows, summary.profiles
    told = account(summary.to_json())
    lines = [
        f"{printable(summary.entry.source.key)}: {told.status_line}",
        summary.reason,
        "",
        *(f"{number}. {_to_do(to_do)}" for number, to_do in enumerate(told.to_do, 1)),
        *([""] if told.to_do else []),
        f"Rows: {rows.read:,} read = {rows.rejected:,} rejected + {rows.merged:,} merged"
        f" + {rows.skipped:,} skipped + {rows.sent:,} sent",
        f"Profiles: {profiles.success:,} success, {profiles.error:,} error, {profiles.pending:,} pending,"
        f" {profiles.unknown:,} unknown, {profiles.not_sent:,} not sent",
        f"Success: {by_word(summary.evidence) or 'none'}",
        f"Unaccounted: {summary.unaccounted}",
        *([f"Read back: {' '.join(summary.verification.says)}"] if summary.verification else []),
    ]
    return "\n".join(lines)


def render_report(summary: Summary) -> str:
    """Return report.html of a summary."""
    return render_page(summary.to_json())


def render_page(summary: Json) -> str:
    """Return report.html of a summary.json: one page without scripts."""
    return _template().render(account=account(summary), columns=_COLUMNS, cells=_cells, number="{:,}".format)


@cache
def _template() -> Template:
    # Only the end of an import needs it, and every function would load it at its start.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(_TEMPLATE.read_text("utf-8"))


def _to_do(to_do: ToDo) -> str:
    text = f"{to_do.file}: {to_do.text}" if to_do.file else to_do.text
    return f"{text} {to_do.command}".rstrip()


def _cells(batch: Json) -> list[int]:
    counts = batch["profiles"]
    statuses = ("success", "error", "pending", "unknown", "notSent")
    return [batch["rows"], *(counts[status] for status in statuses), batch["submissions"], batch["checks"]]
