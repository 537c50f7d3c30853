"""The account of an import: what people read of it, whether as a page, as a notice or as a table.

It is made of summary.json alone, so that whoever has that file says the same. Names from outside become one
printable line. No id and no value is in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bulk_profiles.core.command_line import command
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import Basis, BatchState, ImportStatus, ProfileStatus, Resendable, resend_word
from bulk_profiles.core.text import printable, quantity
from bulk_profiles.core.timestamps import moment
from bulk_profiles.splitting.rows.faults import Reject, Warn

from .evidence import EVIDENCE, by_word
from .split_verdict import first_examples, status_line
from .verification import Verification, with_verification

_LABELS = {
    ProfileStatus.SUCCESS: "updated",
    ProfileStatus.ERROR: "failed",
    ProfileStatus.PENDING: "pending",
    ProfileStatus.UNKNOWN: "unknown",
    ProfileStatus.NOT_SENT: "not sent",
}
_WHOLE_FILE = {
    "older_version": "A newer version of the file came first.",
    "too_long_to_send": "Its batches would expire before the last of them was sent.",
}
# Whether a reason says how or when to drop the file again. In quotes, `drop` is a part of a feed.
_SAYS_DROP = re.compile(r'(?<!")\bdrop\b', re.IGNORECASE)
MOST_GROUPS = 30
MOST_BATCHES = 100  # of a group
_MOST_REASONS = 3  # among what there is to do
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Line:
    """What became of some of the rows."""

    label: str
    count: int
    kind: str  # read, rejected, merged, skipped, sent, unaccounted, or a status of profiles
    detail: bool = False  # a part of the line before it


@dataclass(frozen=True, slots=True)
class ToDo:
    """One thing for a person to do."""

    text: str
    file: str = ""  # that is needed for it
    command: str = ""  # that does it


@dataclass(frozen=True, slots=True)
class CodeCount:
    """Rejects or warnings of one code."""

    code: str
    words: str
    places: str  # the first lines, or columns
    count: int


@dataclass(frozen=True, slots=True)
class BatchGroup:
    """The batches that ended in the same way, for the same reason."""

    state: str
    reason: str
    count: int
    rows: int
    shown: tuple[Json, ...]  # the first of them, as in summary.json

    @property
    def left_out(self) -> int:
        """The number of batches that are not shown."""
        return self.count - len(self.shown)

    @property
    def complete(self) -> bool:
        """Whether nothing is to be done about these batches."""
        return self.state == "complete" and not self.reason


@dataclass(frozen=True, slots=True)
class Account:
    """What people read of an import."""

    import_id: str
    file: str
    status: str
    status_line: str
    headline: str
    conclusion: str
    period: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    to_do: tuple[ToDo, ...]
    files: tuple[str, ...]  # of rows to mend
    rejects: tuple[CodeCount, ...]
    warnings: tuple[CodeCount, ...]
    batches: int
    groups: tuple[BatchGroup, ...]
    groups_left_out: int

    @property
    def bar(self) -> list[Line]:
        """The parts of the whole: each row that was read is in one of them."""
        order = [*ProfileStatus, "rejected", "merged", "skipped"]
        parts = [line for line in self.lines if line.kind in order and line.count and not line.detail]
        return sorted(parts, key=lambda line: order.index(line.kind))


def account(summary: Json) -> Account:
    """Return the account of a summary, which may be that of an earlier release."""
    rows, profiles = summary["rows"], summary["profiles"]
    source, rejected = summary["source"], summary["rows"]["rejected"]
    groups = _groups(summary["batches"])
    failed = summary.get("failedRows", {})
    files = [summary.get("rejectedRows", ""), failed.get("file", "")]
    facts = (
        ("File", source["key"]),
        ("Feed", summary["feed"]),
        ("Client code", summary["clientCode"]),
        ("API version", summary["apiVersion"]),
        ("Key column", summary["keyColumn"] or "none"),
        ("Started", summary["startedAt"]),
        ("Finished", summary["finishedAt"]),
        ("Import", summary["importId"]),
        ("Version of the file", source["versionId"]),
        ("SHA-256 of the file", source["sha256"]),
        ("The same content as", summary["duplicateOf"]),
    )
    return Account(
        import_id=summary["importId"],
        file=printable(source["key"].rsplit("/", 1)[-1]) or summary["importId"],
        status=summary["status"],
        status_line=status_line(summary["status"], rejected),
        headline=_headline(summary),
        conclusion=_conclusion(summary),
        period=_period(summary["startedAt"], summary["finishedAt"]),
        facts=tuple((name, _shown(value)) for name, value in facts if value),
        lines=tuple(_lines(rows, profiles, summary["basesByStatus"], summary["unaccounted"])),
        # Once a person was forgotten, nothing is left that could be mended or sent again.
        to_do=() if summary.get("forgottenAt") else tuple(_to_do(summary, groups)),
        files=tuple(filter(None, files)),
        rejects=_codes(summary["rejects"], Reject, [summary["examples"]["rejects"]]),
        warnings=_codes(
            summary["warnings"],
            Warn,
            [summary["examples"]["warnings"], summary["examples"].get("columns", {})],
        ),
        batches=len(summary["batches"]),
        groups=tuple(group for n, group in enumerate(groups) if n < MOST_GROUPS or group.complete),
        groups_left_out=sum(not group.complete for group in groups[MOST_GROUPS:]),
    )


def _headline(summary: Json) -> str:
    sent, success = summary["rows"]["sent"], summary["profiles"]["success"]
    if summary["status"] == ImportStatus.REJECTED:
        return "Nothing was sent."
    return f"{success:,} of {sent:,} profiles updated."


def _period(started: str, finished: str) -> str:
    start, end = moment(started), moment(finished)
    seconds = max(0, round((end - start).total_seconds()))
    if seconds < _MINUTE:
        took = f"{seconds} s"
    elif seconds < _HOUR:
        took = f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
    else:
        took = f"{seconds // _HOUR:,} h {seconds % _HOUR // _MINUTE} min"
    return f"{start:%d %b %Y, %H:%M} UTC, took {took}"


def _lines(rows: Json, profiles: Json, bases: Json, unaccounted: int) -> Iterator[Line]:
    yield Line("Rows read", rows["read"], "read")
    yield Line("Rejected", rows["rejected"], "rejected")
    yield Line("Merged into another row of the same id", rows["merged"], "merged")
    yield Line("Skipped: no values", rows["skipped"], "skipped")
    yield Line("In batches for Target", rows["sent"], "sent")
    for status, label in _LABELS.items():
        yield Line(label.capitalize(), profiles[status], status)
        for basis, words in EVIDENCE.items():
            if count := bases.get(status, {}).get(basis, 0):
                yield Line(words, count, status, detail=True)
    yield Line("Unaccounted", unaccounted, "unaccounted")


def _to_do(summary: Json, groups: Sequence[BatchGroup]) -> Iterator[ToDo]:
    """Yield what there is to do, what concerns most first."""
    import_id, failed = summary["importId"], summary.get("failedRows", {})
    stack = summary.get("stack", "")  # release 0.1.0 did not write it down
    if summary["unaccounted"]:
        yield ToDo("Report a fault of the software: some rows are unaccounted for.", "summary.json")
    if summary["status"] == ImportStatus.REJECTED and not summary["batches"]:
        says = _SAYS_DROP.search(summary["reason"])
        yield ToDo(summary["reason"] if says else f"{summary['reason']} Then drop the file again.")
    unsettled = [batch for batch in summary["batches"] if _is_open(batch)]
    if unsettled:
        yield ToDo(
            f"{quantity(len(unsettled), 'batch')} of {len(summary['batches']):,} did not come to an end. The "
            "hourly sweep lets them go on. To let them go on at once:",
            command=command(stack, "resend", import_id),
        )
    failing = [group for group in groups if not group.complete and group.reason]
    for group in failing[:_MOST_REASONS]:
        yield ToDo(f"{_numbers(group)}, {quantity(group.rows, 'profile')}: {group.reason}")
    if len(failing) > _MOST_REASONS:
        yield ToDo(f"See {quantity(len(failing) - _MOST_REASONS, 'more reason')} among the batches.")
    if failed.get("file"):
        yield ToDo(
            f"{quantity(failed['profiles'], 'profile')}, {quantity(failed['rows'], 'row')}: mend what is "
            "wrong with them, and drop the file as it is.",
            failed["file"],
        )
    words = _resendable(summary["batches"])
    if words and not unsettled:
        mended = ", once the cause is mended" if Resendable.REFUSED in words else ""
        yield ToDo(
            f"{'Or send' if failed.get('file') else 'Send'} {quantity(words.total(), 'profile')} again as "
            f"{'it is' if words.total() == 1 else 'they are'}{mended}:",
            command=command(
                stack, "resend", import_id, "--only", ",".join(word for word, _ in words.most_common())
            ),
        )
    if failed.get("missing"):
        yield ToDo(f"There is no file of the failed rows. {failed['missing']}")
    if summary.get("rejectedRows"):
        whole = sum(summary["rejects"].get(code, 0) for code in _WHOLE_FILE)  # these are not in it
        yield ToDo(
            f"{quantity(summary['rows']['rejected'] - whole, 'row')} rejected: mend them, and drop the file "
            "as it is.",
            summary["rejectedRows"],
        )


def _resendable(batches: Iterable[Json]) -> Counter[str]:
    """Count the profiles by the words by which they are sent again."""
    words: Counter[str] = Counter()
    for batch in batches:
        for status, bases in batch["bases"].items():
            for basis, count in bases.items():
                word = resend_word(ProfileStatus(status), Basis(basis), BatchState(batch["state"]))
                if word and count:
                    words[word.value] += count
    return words


def _is_open(batch: Json) -> bool:
    return batch["state"] in {"planned", "sending", "accepted"}


def _groups(batches: Iterable[Json]) -> tuple[BatchGroup, ...]:
    """Group the batches: those that are not complete first, of these those with most rows."""
    groups: dict[tuple[str, str], list[Json]] = {}
    for batch in batches:
        doubled = ", possibly a duplicate" if batch["possiblyDuplicate"] else ""
        groups.setdefault((batch["state"] + doubled, _shown(batch["reason"])), []).append(batch)
    found = [
        BatchGroup(state, reason, len(some), sum(batch["rows"] for batch in some), tuple(some[:MOST_BATCHES]))
        for (state, reason), some in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: (group.complete, -group.rows)))


def _numbers(group: BatchGroup) -> str:
    numbers = [batch["number"] for batch in group.shown]
    if group.count == 1:
        return f"Batch {numbers[0]}"
    return f"{group.count:,} batches, {numbers[0]} the first of them"


def _codes(
    counts: dict[str, int],
    words: type[Reject | Warn],
    examples: Iterable[dict[str, list[int | str]]],
) -> tuple[CodeCount, ...]:
    """Return the codes, the most frequent first. One of another release has no words."""
    places: dict[str, list[int | str]] = {}
    for some in examples:
        places |= some
    return tuple(
        CodeCount(
            code,
            words(code).help if code in set(words) else _WHOLE_FILE.get(code, ""),
            _places(places.get(code, ()), count),
            count,
        )
        for code, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def _places(some: Sequence[int | str], count: int) -> str:
    """Return the first lines or columns in words: `lines 3, 4, 7, 8, 9, ...`."""
    if not some:
        return ""
    noun = "line" if isinstance(some[0], int) else "column"
    return f"{noun}{'s' if len(some) > 1 else ''} {printable(first_examples(some, count))}"


def _conclusion(summary: Json) -> str:
    said = summary["reason"] or f"Every row reached Target: {by_word(summary['bases'])}."
    verification = summary.get("verification")
    return with_verification(said, Verification.from_json(verification) if verification else None)


def _shown(text: str) -> str:
    """Return a text from outside as one printable line, which is empty only where the text is."""
    return printable(text) or "?" * bool(text)
