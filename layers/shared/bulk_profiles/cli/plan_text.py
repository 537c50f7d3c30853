"""A plan as text for people: one fact on a line, with a label before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bulk_profiles.accounting.split_verdict import first_examples
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.text import printable_name, quantity
from bulk_profiles.splitting.rows.faults import Reject, Warn
from bulk_profiles.splitting.split import Split

from .options import labelled
from .plan import Plan

_MOST_BATCHES = 20  # that are listed; --json lists all
_LABEL = 11  # characters


def render_plan(plan: Plan, folder: Path | None, width: int) -> str:
    """Return the text of a plan. Lines are wrapped to `width` characters; 0: not at all."""
    facts = [_verdict_fact(plan), *(_split_facts(plan, plan.split, folder) if plan.split else ())]
    return "\n".join(labelled(label, fact, _LABEL, width) for label, fact in facts)


def _verdict_fact(plan: Plan) -> tuple[str, str]:
    name, verdict = printable_name(plan.file), plan.verdict
    if verdict.status is ImportStatus.REJECTED:
        return verdict.status, f"{name} would be rejected. {verdict.reason}"
    reason = f": {verdict.reason}" if verdict.reason else ""
    return verdict.status, f"{name}, if Target takes every row{reason}"


def _split_facts(plan: Plan, split: Split, folder: Path | None) -> Iterator[tuple[str, str]]:
    rows, batches = split.rows, split.batches
    yield "file", f"{printable_name(plan.file)}: {plan.size:,} bytes, key column {split.key_column}"
    yield (
        "rows",
        f"{rows.read:,} read = {rows.sent:,} sent + {rows.merged:,} merged into them "
        f"+ {rows.skipped:,} without values + {rows.rejected:,} rejected",
    )
    for code, count in split.rejects.items():
        yield "reject", _code_fact(Reject(code), count, lines=plan.examples.rejects.get(code, ()))
    for code, count in split.warnings.items():
        lines, columns = plan.examples.warnings.get(code, ()), plan.examples.columns.get(code, ())
        yield "warning", _code_fact(Warn(code), count, lines=lines, columns=columns)
    for batch in batches[:_MOST_BATCHES]:
        yield "batch", f"{batch.number:05d}: {quantity(batch.rows, 'row')}, {batch.size:,} bytes"
    if len(batches) > _MOST_BATCHES:
        yield "", f"... and {len(batches) - _MOST_BATCHES:,} more (--json lists all)"
    yield "batches", f"{len(batches):,} in all, {sum(batch.size for batch in batches):,} bytes"
    if batches:
        yield "calls", f"{plan.calls:,} at least: a submission and a status check for each batch"
    if search := plan.isolation:
        yield (
            "failures",
            f"to find one row that Target counts as failed and does not name, up to {search['submissions']} "
            f"more submissions of {search['rows']:,} rows in all, {search['calls']} calls and "
            f"{search['minutes']} minutes",
        )
    if plan.rows_a_day:
        yield "days", f"{plan.days:,} with {quantity(plan.rows_a_day, 'row')} a day"
    yield "cost", f"about ${plan.cost['total']:.2f} at AWS"
    if folder:
        yield "written", f"manifest, batches and rejects, in {printable_name(str(folder))}/"


def _code_fact(code: Reject | Warn, count: int, *, lines: Sequence[int], columns: Sequence[str] = ()) -> str:
    where = "".join(
        f" ({place}{'s' if len(examples) > 1 else ''} {first_examples(examples, count)})"
        for place, examples in (("line", lines), ("column", columns))
        if examples
    )
    return f"{code}: {count:,}{where}. {code.help}"
