"""The verdict on a batch: what Target's answer means for it and for each of its profiles.

A success is *reported* by name, or *implied* by an answer in which everything is understood, and by nothing
else.

| Target named the profile                                             | status  | basis    |
|----------------------------------------------------------------------|---------|----------|
| with `success`, and with nothing that contradicts it                 | success | reported |
| with `error` or `failed`, perhaps with `success` as well             | error   | reported |
| with `pending`, perhaps with `success` as well                       | pending | reported |
| with a word that is not known, or in a way that contradicts itself   | unknown | reported |
| with `success`, and its counts, or an element beside it, deny that   | unknown | reported |
| with `success`, and in a part of the answer that is not known        | unknown | reported |
| with `success`, in an answer that names another batch                | unknown | reported |
| by a spelling that may stand for another id of the batch as well     | unknown | batch    |

| Target did not name the profile, and said of the batch               | status  | basis    |
|----------------------------------------------------------------------|---------|----------|
| `complete`, and everything is understood                             | success | implied  |
| `complete`, and its counts leave room for a failure, or contradict   | unknown | counts   |
| `complete`, with a `success` by name, ours or not: it lists all      | unknown | batch    |
| `complete`, and a profile is pending all the same                    | unknown | batch    |
| `complete`, and something is not understood                          | unknown | batch    |
| `stuck`, and everything is understood                                | error   | batch    |
| `stuck`, and its counts say that rows were updated, or contradict    | unknown | counts   |
| `stuck`, and something is not understood                             | unknown | batch    |
| nothing by the deadline but other profiles, with all understood      | pending | deadline |
| nothing by the deadline, and something is not understood             | unknown | batch    |
| `incomplete` or a word that is not known, at the deadline            | pending | deadline |
| nothing usable by the deadline                                       | pending | deadline |

Not understood is a part of the answer, or of the yes to the submission, that is not known (an element, an
attribute, a message), a profile that cannot be read, a word for a profile that is not known, a count that is
no number, a spelling that is no id of the batch whatever its word, the id of another batch, a word for the
batch that is not known in an earlier answer, and `complete` where a later answer takes it back, unless all
that this one says is `incomplete`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from bulk_profiles.core.models import Basis, BatchState, ProfileResult, ProfileStatus
from bulk_profiles.core.text import quantity

from .answers import StatusAnswer, TargetState
from .flat_reader import is_ambiguous
from .named_ids import NamedIds, match_ids
from .response import UnusableAnswerError


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state in which a batch ends, and the results of its profiles."""

    state: BatchState
    status: ProfileStatus  # this, `basis` and `reason` hold for each id that Target did not name
    basis: Basis
    reason: str = ""
    named: NamedIds = field(default_factory=NamedIds)
    note: str = ""  # what else a person should know of the batch
    # The failures that Target counted without naming any profile, where all else is understood.
    unnamed: int = 0

    def recall(self, result: ProfileResult) -> ProfileResult:
        """Return the result of a profile of an earlier body after the answer about a follow-up without it."""
        if result.status is not ProfileStatus.SUCCESS or not self.named.denies(result.profile_id):
            return result
        return dataclasses.replace(
            result, status=ProfileStatus.UNKNOWN, basis=Basis.REPORTED, reason=_RECALLED
        )

    def result_of(self, profile_id: str) -> ProfileResult:
        """Return the result of one of the batch's ids."""
        named = self.named
        if profile_id in named.doubtful:
            return ProfileResult(profile_id, ProfileStatus.UNKNOWN, Basis.BATCH, _DOUBTFUL)
        status = named.status_of(profile_id)
        if status is None:
            return ProfileResult(profile_id, self.status, self.basis, self.reason)
        if status is not ProfileStatus.UNKNOWN:
            reason = _REPORTED[status]
        elif profile_id in named.unusable:
            reason = _UNUSABLE
        else:
            reason = f"Target used a word for this profile that is not known: {named.unknown_words}."
        if profile_id in named.contradicted:
            reason = f"{reason} {_CONTRADICTED}"
        return ProfileResult(profile_id, status, Basis.REPORTED, reason)


def isolated(verdict: Verdict, rows: int) -> Verdict:
    """Return the verdict on a part of a batch, which was sent to find the rows that fail.

    The part without a failure is a success, and one of which every row fails is an error.
    """
    if verdict.status is ProfileStatus.SUCCESS:
        return dataclasses.replace(verdict, basis=Basis.ISOLATED)
    if verdict.unnamed < rows:
        return verdict
    reason = _ALONE if rows == 1 else _EVERY_ROW.format(rows)
    return dataclasses.replace(verdict, status=ProfileStatus.ERROR, basis=Basis.ISOLATED, reason=reason)


_ALONE = "Target counted a failure when the row was sent alone."
_EVERY_ROW = "Target counted {0} failures when {0} rows with this one were sent."
_UNFINISHED = "Target was not done with the batch when it was last asked."
_NO_ANSWER = "Target gave no usable answer when it was last asked about the batch."
_STUCK = "Target gave up on the batch: it is stuck."
_CALLED_STUCK = "Target called the batch stuck, in an answer that is not understood."
_UPDATED = "Target counted {}, and did not name as many."
_PENDING = "Target called the batch complete, and {} pending."
_NOT_LISTED = "Target listed the profiles of the batch and not this one."
_SIZES = "Target counted {} rows in the batch in one answer, and {} in another."
_MISREAD = "Target's answer lost its tags, and the batch has ids that may mislead."
_DOUBTFUL = "Target named an id that may be this one, or another of the batch."
_RECALLED = "Target named this profile, not as a success, when it was asked about a follow-up without it."
_REPORTED = {
    ProfileStatus.SUCCESS: "",
    ProfileStatus.ERROR: "Target reported an error for this profile.",
    ProfileStatus.PENDING: "Target was not done with this profile when it was last asked.",
}
_UNUSABLE = "What Target said of this profile cannot be read, contradicts itself, or is about another batch."
_CONTRADICTED = "It reported a success as well."
_AT_WORK = frozenset({TargetState.INCOMPLETE, TargetState.OTHER})
_DETAILED = frozenset({TargetState.COMPLETE, None})


def whole_batch(state: BatchState, status: ProfileStatus, reason: str) -> Verdict:
    """Return a verdict that is the same for every profile, e.g. of a batch that Target refused."""
    return Verdict(state, status, Basis.BATCH, reason)


def add_named(verdict: Verdict, receipt: StatusAnswer, ids: Iterable[str], rows: int) -> Verdict:
    """Return the verdict on a batch that cannot be followed with the failures that its receipt names."""
    try:
        named = match_ids(receipt, ids, rows)
    except UnusableAnswerError:
        return verdict
    return dataclasses.replace(verdict, named=named.without_successes())


def needs_details(answer: StatusAnswer) -> bool:
    """Whether a complete batch is worth a call for details: the answer has neither ids nor counts."""
    return answer.state is TargetState.COMPLETE and not answer.profiles and not answer.counted


def gives_details(answer: StatusAnswer | None) -> bool:
    """Whether the answer to a call for details has any, whatever it calls the batch, or will have none."""
    return answer is not None and (answer.state in _DETAILED or bool(answer.profiles) or answer.counted)


def add_details(first: StatusAnswer, detailed: StatusAnswer | None) -> StatusAnswer:
    """Return the first terminal answer with all that a later one names, counts or calls the batch.

    The state is that of the first answer. What the later one calls the batch is kept if it takes that back.
    Then nothing is implied, unless all that it says is `incomplete`.
    """
    if detailed is None:
        return first
    sizes = {answer.batch_size for answer in (first, detailed) if answer.batch_size is not None}
    unclear = [*first.unclear, *detailed.unclear]
    if len(sizes) > 1:
        unclear.append(_SIZES.format(*sorted(sizes)))
    withdrawn = first.withdrawn
    if detailed.state not in _DETAILED:
        withdrawn = detailed.word or str(detailed.state)
        if detailed.profiles or detailed.counted or detailed.state is not TargetState.INCOMPLETE:
            unclear.append(_withdrawal(withdrawn))
    return dataclasses.replace(
        detailed,
        state=first.state,
        batch_id=first.batch_id or detailed.batch_id,
        batch_size=min(sizes, default=None),
        word="",
        unclear=tuple(dict.fromkeys(unclear)),
        withdrawn=withdrawn,
    )


def settle(
    answer: StatusAnswer | None,
    ids: Iterable[str],
    *,
    rows: int,
    overdue: bool,
    silence: str = "",
    body: str = "batch",
) -> Verdict | None:
    """Return the verdict on a batch of `rows` ids, or None while Target should be asked again.

    `answer` is the last usable one, or None if Target gave none; `overdue` means that Target is not asked
    again. `silence` is why a later call had no usable answer, as a sentence; `body` is what people call
    that which was sent. `ids`, decoded, are read once at most, and only where they matter.
    """
    if not overdue and (answer is None or answer.state in _AT_WORK):
        return None
    verdict = _last_verdict(answer, ids, rows, silence, body)
    return verdict if overdue or verdict.state is not BatchState.EXPIRED else None


def _last_verdict(
    answer: StatusAnswer | None, ids: Iterable[str], rows: int, silence: str, body: str
) -> Verdict:
    """Return the verdict if Target is not asked again: a batch that it has not finished is expired."""
    if answer is None:
        return _expired([_NO_ANSWER, silence])
    try:
        named = match_ids(answer, ids, rows)
    except UnusableAnswerError as error:
        return _expired([_NO_ANSWER, str(error), *answer.unclear, *_unnamed_failures(answer, 0)])
    doubts = _doubts(answer, named, body)
    if answer.state is TargetState.COMPLETE and (pending := named.count(ProfileStatus.PENDING)):
        doubts.append(_PENDING.format(quantity(pending, "profile")))
    if denial := _denial(answer, named, rows):
        doubts.append(denial)
        named = named.without_successes()
    if answer.state is TargetState.COMPLETE or (answer.state is None and _is_finished(named)):
        verdict = _finished(answer, named, rows, doubts)
    elif answer.state is TargetState.STUCK:
        verdict = _stuck(answer, named, rows, doubts)
    else:
        failures = _unnamed_failures(answer, named.count(ProfileStatus.ERROR))
        verdict = _expired([_last_words(answer, named, rows), *failures, *doubts, silence])
        if (
            answer.state is None and doubts
        ):  # a profile that seems not to be named may be named in another way
            verdict = dataclasses.replace(verdict, status=ProfileStatus.UNKNOWN, basis=Basis.BATCH)
    silent = [silence] if silence and verdict.state is BatchState.EXPIRED else []
    untold = [
        sentence
        for sentence in (*doubts, *_remarks(answer, rows, named), *silent)
        if sentence not in verdict.reason
    ]
    return dataclasses.replace(verdict, named=named, note=" ".join(untold))


def _is_finished(named: NamedIds) -> bool:
    """Whether Target, which has no word for the batch, has one for every profile."""
    unfinished = (None, ProfileStatus.PENDING, ProfileStatus.UNKNOWN)
    return not any(named.by_status[status] for status in unfinished)


def _finished(answer: StatusAnswer, named: NamedIds, rows: int, doubts: list[str]) -> Verdict:
    """Return the verdict on a complete batch: the one place where a success is implied."""
    state = BatchState.EXPIRED if named.count(ProfileStatus.PENDING) else BatchState.COMPLETE
    if not named.by_status[None]:  # each profile has a status of its own
        return whole_batch(state, ProfileStatus.UNKNOWN, "")
    if named.contradicted or named.count(ProfileStatus.SUCCESS) or named.foreign[ProfileStatus.SUCCESS]:
        return whole_batch(state, ProfileStatus.UNKNOWN, " ".join([_NOT_LISTED, *doubts]))
    uncounted = _count_doubts(answer, rows, named)
    if doubts:
        return whole_batch(state, ProfileStatus.UNKNOWN, " ".join(dict.fromkeys(doubts + uncounted)))
    if uncounted:
        failures = _failures(answer) if _is_only_failures(answer, named, rows, uncounted) else 0
        return Verdict(state, ProfileStatus.UNKNOWN, Basis.COUNTS, " ".join(uncounted), unnamed=failures)
    return Verdict(state, ProfileStatus.SUCCESS, Basis.IMPLIED)


def _is_only_failures(answer: StatusAnswer, named: NamedIds, rows: int, uncounted: list[str]) -> bool:
    """Whether all that keeps an answer from implying success is a number of failures without names."""
    counted = answer.successful is not None or None not in {answer.failed, answer.not_found}
    return counted and named.by_status[None] == rows and uncounted == _unnamed_failures(answer, 0)


def _stuck(answer: StatusAnswer, named: NamedIds, rows: int, doubts: list[str]) -> Verdict:
    """Return the verdict on a stuck batch: an error, unless anything else in the answer casts doubt on it."""
    uncounted = contradictions(answer, rows)
    if (answer.successful or 0) > named.count(ProfileStatus.SUCCESS):
        uncounted.append(_UPDATED.format(quantity(answer.successful or 0, "update")))
    if not (doubts or uncounted):
        return whole_batch(BatchState.STUCK, ProfileStatus.ERROR, _STUCK)
    reason = " ".join(dict.fromkeys([_CALLED_STUCK, *doubts, *uncounted]))
    basis = Basis.BATCH if doubts else Basis.COUNTS
    return Verdict(BatchState.STUCK, ProfileStatus.UNKNOWN, basis, reason)


def _expired(sentences: list[str]) -> Verdict:
    reason = " ".join(filter(None, sentences))
    return Verdict(BatchState.EXPIRED, ProfileStatus.PENDING, Basis.DEADLINE, reason)


def _doubts(answer: StatusAnswer, named: NamedIds, body: str) -> list[str]:
    """Return, as sentences, what is not understood in an answer."""
    doubts = list(answer.unclear)
    if named.unreadable:
        doubts.append(f"{quantity(named.unreadable, 'profile')} in Target's answer cannot be read.")
    if foreign := named.foreign.total():
        doubts.append(f"Target named {quantity(foreign, 'id')} that {_are(foreign)} not in the {body}.")
    return list(dict.fromkeys(doubts))


def _denial(answer: StatusAnswer, named: NamedIds, rows: int) -> str:
    """Return, as a sentence, how Target's counts contradict the successes that it named, or ""."""
    successes = named.count(ProfileStatus.SUCCESS)
    failures = _failures(answer)
    if answer.successful is not None and successes > answer.successful:
        return f"Target counted {quantity(answer.successful, 'update')}, and named {successes} as a success."
    if answer.consumed is not None and successes > answer.consumed:
        consumed = quantity(answer.consumed, "consumed row")
        return f"Target counted {consumed}, and named {successes} as a success."
    if successes and successes + failures > rows:
        return (
            f"Target counted {quantity(failures, 'failure')} of {rows}, and named {successes} as a success."
        )
    return ""


def _withdrawal(word: str) -> str:
    return f'Target called the batch complete first, and "{word}" later.'


def _last_words(answer: StatusAnswer, named: NamedIds, rows: int) -> str:
    """Return, as a sentence, what Target said last of a batch that it had not finished."""
    if answer.state is TargetState.INCOMPLETE:
        return _UNFINISHED
    if answer.state is not None:
        return f'Target\'s last word for the batch is not known: "{answer.word}".'
    if named.by_status[None]:
        count = rows - named.by_status[None]
        if rows == 1:
            return "Target had not named the profile when it was last asked."
        return f"Target had named {count or 'none'} of the {rows} profiles when it was last asked."
    if pending := named.by_status[ProfileStatus.PENDING]:
        return f"Target was not done with {quantity(pending, 'profile')} when it was last asked."
    return f"What Target said of {quantity(named.by_status[ProfileStatus.UNKNOWN], 'profile')} is not clear."


def _count_doubts(answer: StatusAnswer, rows: int, named: NamedIds) -> list[str]:
    """Return, as sentences, why Target's counts imply no success beside the profiles that it named.

    They leave room for failures, or contradict the names, one another or the number of rows.
    """
    sentences = []
    errors, pending = named.count(ProfileStatus.ERROR), named.count(ProfileStatus.PENDING)
    failures = _failures(answer)
    if unnamed := _unnamed_failures(answer, errors):
        sentences += unnamed
    elif answer.failed is not None and failures < errors:
        sentences.append(f"Target counted {quantity(failures, 'failure')}, and named {errors}.")
    totals = (answer.batch_size, answer.consumed, _updated(answer, errors + pending))
    lowest = min((count for count in totals if count is not None), default=rows)
    if lowest < rows == 1:
        sentences.append("Target did not count the row that was sent.")
    elif lowest < rows:
        others = "other" if rows - lowest == 1 else "others"
        sentences.append(f"Target counted {lowest} of the {rows} rows sent, and did not name the {others}.")
    sentences += _surplus(answer, rows, named)
    incomplete = answer.successful is None and None in {answer.failed, answer.not_found}
    if not sentences and answer.counted and incomplete:
        sentences.append("Target did not count all outcomes, so there may be failures.")
    return sentences


def _failures(answer: StatusAnswer) -> int:
    """Return how many profiles Target counted as failed or not found."""
    return (answer.failed or 0) + (answer.not_found or 0)


def _unnamed_failures(answer: StatusAnswer, errors: int) -> list[str]:
    """Return, as a sentence, that Target counted more failures than the `errors` that it named."""
    failures = _failures(answer)
    if failures <= errors:
        return []
    counts = ((answer.failed, "failed"), (answer.not_found, "not found"))
    counted = " and ".join(f"{count} {what}" for count, what in counts if count)
    named = "did not name it" if failures == 1 else f"named {errors or 'none'} of them"
    return [f"Target counted {counted}, and {named}."]


def _updated(answer: StatusAnswer, others: int) -> int | None:
    """Return how many profiles Target counted by their outcome, or named as one of the `others`."""
    if answer.successful is None:
        return None
    return answer.successful + max(_failures(answer), others)


def _remarks(answer: StatusAnswer, rows: int, named: NamedIds) -> list[str]:
    """Return, as sentences, what a person should know of an answer, whatever it decides."""
    remarks = [_withdrawal(answer.withdrawn)] if answer.withdrawn else []
    if answer.batch_size is not None and answer.batch_size < rows:
        remarks.append(_size_of_batch(answer.batch_size, rows))
    return remarks + _surplus(answer, rows, named)


def _surplus(answer: StatusAnswer, rows: int, named: NamedIds) -> list[str]:
    """Return, as sentences, which of Target's counts are larger than the number of rows."""
    sentences = []
    errors, pending = named.count(ProfileStatus.ERROR), named.count(ProfileStatus.PENDING)
    if answer.batch_size is not None and answer.batch_size > rows:
        sentences.append(_size_of_batch(answer.batch_size, rows))
    results = (answer.successful or 0) + max(_failures(answer), errors)
    sent = f"{quantity(rows, 'row')} {_were(rows)} sent"
    for count, what in ((answer.consumed, "consumed row"), (results, "result")):
        if count is not None and count > rows:
            sentences.append(f"Target counted {quantity(count, what)}, and {sent}.")
    if results <= rows < (_updated(answer, errors + pending) or 0):
        unfinished = f"it was not done with {quantity(pending, 'profile')}"
        sentences.append(f"Target counted {quantity(results, 'result')}, {unfinished}, and {sent}.")
    return sentences


def lasting_doubts(answer: StatusAnswer, ids: Iterable[str], rows: int) -> list[str]:
    """Return, as sentences, what no later answer can put right: counts, and profiles that may be misread.

    `ids` are read only if the answer is flattened and names any.
    """
    misread = answer.flattened and bool(answer.profiles) and any(map(is_ambiguous, ids))
    return contradictions(answer, rows) + [_MISREAD] * misread


def contradictions(answer: StatusAnswer, rows: int) -> list[str]:
    """Return, as sentences, which counts no later answer can put right: the size, and more than all rows."""
    size = answer.batch_size
    wrong_size = [] if size is None or size == rows else [_size_of_batch(size, rows)]
    return list(dict.fromkeys(wrong_size + _surplus(answer, rows, NamedIds())))


def _size_of_batch(size: int, rows: int) -> str:
    return f"Target counted {quantity(size, 'row')} in the batch, and {rows} {_were(rows)} sent."


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
