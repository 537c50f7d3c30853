"""Earlier answers about a batch: what of them counts beside a later one, and how one is kept."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.models import Basis, ProfileStatus
from bulk_profiles.target import earlier_answers
from bulk_profiles.target.answers import StatusAnswer, TargetState, read_status
from bulk_profiles.target.earlier_answers import add_earlier, combine, from_bytes, to_bytes
from bulk_profiles.target.verdict import settle
from tests.worlds.answers import counts, element, head, profile, results, status

STATES = (*TargetState, None)
STATUSES = (ProfileStatus.SUCCESS, ProfileStatus.ERROR, ProfileStatus.PENDING, ProfileStatus.UNKNOWN)
FINAL = {TargetState.COMPLETE, TargetState.STUCK}


def answer(word: str = "incomplete", **words: str) -> StatusAnswer:
    """Return an answer with a word for the batch and words for profiles, or with the latter alone."""
    batch = head(word) if word else element("batchId", "demo-1")
    return status(batch, *(profile(*pair) for pair in words.items()))


@pytest.mark.parametrize(("state", "earlier"), list(itertools.product(STATES, STATUSES)))
def test_word_for_a_profile_that_is_not_named_again(
    state: TargetState | None, earlier: ProfileStatus
) -> None:
    """A failure and a word that is not known last; a success until `complete`, pending until the end."""
    before = StatusAnswer(TargetState.INCOMPLETE, profiles={"a": earlier})
    match earlier:
        case ProfileStatus.SUCCESS:
            lasts = state is not TargetState.COMPLETE
        case ProfileStatus.PENDING:
            lasts = state not in FINAL
        case _:
            lasts = True
    assert add_earlier(StatusAnswer(state), before).profiles == ({"a": earlier} if lasts else {})


@pytest.mark.parametrize(("earlier", "later"), list(itertools.product(STATUSES, repeat=2)))
def test_word_for_a_profile_that_is_named_again(earlier: ProfileStatus, later: ProfileStatus) -> None:
    """The later one counts, but a failure stays a failure, which a success contradicts."""
    for state in STATES:
        combined = add_earlier(
            StatusAnswer(state, profiles={"a": later}), StatusAnswer(None, profiles={"a": earlier})
        )
        failed = earlier is ProfileStatus.ERROR
        assert combined.profiles == {"a": ProfileStatus.ERROR if failed else later}
        assert combined.contradicted == ({"a"} if failed and later is ProfileStatus.SUCCESS else set())


def test_failure_of_an_earlier_answer_is_no_implied_success() -> None:
    combined = add_earlier(answer("complete"), answer("incomplete", a="failed", b="pending", c="odd"))
    assert results(combined, "a", "b", "c") == ["error reported", "unknown batch", "unknown reported"]
    assert combined.unknown_words == '"odd"'


def test_failures_counted_earlier_leave_room_for_failures() -> None:
    before = status(head("incomplete"), counts(1, 0, 2))
    combined = add_earlier(answer("complete"), before)
    assert (combined.successful, combined.failed, combined.not_found) == (None, 2, None)
    assert results(combined, "a", "b", "c") == ["unknown counts"] * 3
    assert add_earlier(status(head(), counts(0, 1, 3)), before).failed == 3
    assert add_earlier(status(head(), counts(3, 0, 0)), status(head(), counts(2, 1, 0))).not_found == 1


def test_earlier_count_without_a_failure_is_no_count() -> None:
    combined = add_earlier(answer("complete"), status(head("incomplete"), counts(1, 0, 0)))
    assert not combined.counted


def test_marks_of_profiles_last_as_long_as_their_words() -> None:
    before = status(
        head("incomplete"),
        *(profile("a", "success"), profile("a", "failed")),
        *(profile("b", "success"), profile("b", "pending")),
        "<profile><id>c</id><id>d</id><status>success</status></profile>",
    )
    combined = add_earlier(answer("complete"), before)
    assert combined.contradicted == {"a"}
    assert combined.unusable == {"c", "d"}
    assert combined.profiles.keys() == {"a", "c", "d"}
    assert add_earlier(answer("complete", c="odd"), before).unusable == {"d"}


def test_answer_is_flattened_with_profiles_of_a_flattened_one() -> None:
    flattened = read_status([b"demo-1 a failed b pending"])
    assert add_earlier(answer("complete"), flattened).flattened
    assert not add_earlier(answer("complete"), read_status([b"demo-1 a success b pending"])).flattened
    assert add_earlier(flattened, answer("incomplete")).flattened


def test_nothing_else_of_an_earlier_answer_lasts() -> None:
    before = status(head("incomplete", 7), element("successfulUpdates", 1))
    assert add_earlier(answer("complete"), before) == answer("complete")
    assert add_earlier(answer("complete"), None) == answer("complete")


@pytest.mark.fault(
    46, "a part of an earlier answer that was not understood: a later `complete` implies nothing"
)
@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (element("failedCount", 2), "has a part that is not known: failedCount."),
        (element("message", "Some failed"), 'has a message: "Some failed".'),
        (element("failedUpdates", "two"), "has a count that is no number: failedUpdates."),
        ("<profile><status>failed</status></profile>", "cannot be read."),
    ],
)
def test_doubt_of_an_earlier_answer_lasts(part: str, sentence: str) -> None:
    combined = add_earlier(answer("incomplete"), status(head("incomplete"), part))
    for _ in range(3):  # looks
        combined = from_bytes(to_bytes(add_earlier(answer("complete"), combined)))
    verdict = settle(combined, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert (verdict.status, verdict.basis) == (ProfileStatus.UNKNOWN, Basis.BATCH)
    assert verdict.reason.endswith(sentence)
    named = add_earlier(answer("complete", a="success", b="failed"), combined)
    assert results(named, "a", "b", "c") == ["success reported", "error reported", "unknown batch"]


@pytest.mark.fault(
    46, "a word for the batch that was not known, in an earlier answer: a later `complete` implies nothing"
)
def test_unknown_word_for_the_batch_lasts() -> None:
    said = 'Target called the batch "pondering" in an earlier answer, a word that is not known.'
    pondering = add_earlier(answer("pondering"), answer("pondering"))
    assert not pondering.unclear  # it is the last word, and said as such
    for between in ([], ["incomplete"], ["odd", "incomplete"]):
        combined = pondering
        for word in between:
            combined = from_bytes(to_bytes(add_earlier(answer(word), combined)))
        combined = add_earlier(answer("complete", a="success", b="failed"), combined)
        assert said in combined.unclear
        assert results(combined, "a", "b", "c") == ["success reported", "error reported", "unknown batch"]
    assert (
        results(add_earlier(answer("complete"), answer("incomplete")), "a", "b", "c")[0] == "success implied"
    )


@pytest.mark.fault(
    50, "an odd word in an earlier flattened answer, and then a plain complete: nothing is implied"
)
def test_word_that_is_not_known_in_a_flattened_answer_lasts() -> None:
    earlier = read_status([b"demo-1 incomplete 3 a odd b success"])
    combined = add_earlier(status(head()), from_bytes(to_bytes(earlier)))
    assert results(combined, "a", "b", "c") == ["unknown reported", "success reported", "unknown batch"]
    flat = add_earlier(read_status([b"demo-1 complete 3"]), earlier)
    assert results(flat, "a", "b", "c") == results(combined, "a", "b", "c")


@pytest.mark.fault(
    48, "a success by name of an id that a part of a later answer, which is not known, names: unknown"
)
@pytest.mark.parametrize("word", ["incomplete", "complete", "stuck", ""])
def test_success_that_an_unknown_part_of_a_later_answer_mentions_is_unknown(word: str) -> None:
    before = answer("incomplete", a="success", b="success", c="failed")
    batch = head(word) if word else element("batchId", "demo-1")
    later = status(batch, element("failedProfiles", element("id", "%61")))
    kept = from_bytes(to_bytes(add_earlier(later, before)))
    believed = ["unknown batch"] * 2 if word == "complete" else ["unknown reported", "success reported"]
    assert results(kept, "a", "b", "c") == [*believed, "error reported"]
    assert kept.unusable == (set() if word == "complete" else {"a"})
    again = add_earlier(answer("incomplete", a="success"), kept)
    assert again.profiles["a"] is ProfileStatus.SUCCESS


def test_doubts_of_many_answers_are_kept_within_limits() -> None:
    combined = answer("incomplete")
    for number in range(30):
        combined = add_earlier(status(head("incomplete"), element("message", f"part {number}")), combined)
    assert 1 < len(combined.unclear) < 10


def test_more_profiles_than_a_batch_can_have_imply_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_answers, "MAX_PROFILES", 2)
    combined = add_earlier(answer("complete", a="failed"), answer("incomplete", b="failed", c="failed"))
    assert combined.profiles.keys() == {"a"}
    assert results(combined, "a", "x") == ["error reported", "unknown batch"]
    assert len(add_earlier(answer("complete", a="failed"), answer("incomplete", b="failed")).profiles) == 2


class TestCombine:
    FIRST = status(head())

    def test_nothing_said_is_nothing(self) -> None:
        assert combine(None, None, None) is None

    def test_unusable_look_leaves_the_earlier_answer(self) -> None:
        earlier = answer("incomplete", a="success")
        assert combine(None, None, earlier) is earlier

    def test_first_terminal_answer_stands_with_failures_named_before(self) -> None:
        combined = combine(self.FIRST, None, answer("incomplete", a="failed", b="pending"))
        assert combined is not None
        assert results(combined, "a", "b", "c") == ["error reported", "success implied", "success implied"]

    def test_unusable_look_for_details_leaves_the_earlier_details(self) -> None:
        """Of a complete batch Target called a profile pending, and then nothing more."""
        details = combine(self.FIRST, answer("complete", b="pending"), None)
        assert combine(self.FIRST, None, details) is details

    def test_details_are_added_to_the_first_terminal_answer(self) -> None:
        combined = combine(self.FIRST, answer("incomplete", a="failed"), None)
        assert combined is not None
        assert (combined.state, combined.withdrawn) == (TargetState.COMPLETE, "incomplete")


IDS = ("u1", "u2", "u3")
LOOKS = st.lists(
    st.none()  # an answer that cannot be read
    | st.tuples(
        st.sampled_from(["complete", "incomplete", "stuck", "pondering", ""]),
        st.dictionaries(st.sampled_from(IDS), st.sampled_from(["success", "failed", "pending", "odd"])),
    ),
    min_size=1,
    max_size=5,
)


@given(LOOKS)
def test_looks_one_after_the_other_claim_what_target_said(
    looks: list[tuple[str, dict[str, str]] | None],
) -> None:
    """By an oracle of its own: it looks at the words for one profile at a time."""
    combined: StatusAnswer | None = None
    for look in looks:
        combined = combine(None, None if look is None else answer(look[0], **look[1]), combined)
    verdict = settle(combined, IDS, rows=len(IDS), overdue=True)
    assert verdict is not None
    read = [look for look in looks if look is not None]
    for profile_id in IDS:
        result = verdict.result_of(profile_id)
        words = [named[profile_id] for _, named in read if profile_id in named]
        if "failed" in words:
            assert result.status is ProfileStatus.ERROR
        elif result.status is ProfileStatus.SUCCESS and result.basis is Basis.REPORTED:
            assert words[-1] == "success"
        elif result.status is ProfileStatus.SUCCESS:
            assert result.basis is Basis.IMPLIED
            assert read[-1][0] == "complete"
            assert not any("odd" in named.values() or word == "pondering" for word, named in read)
            assert profile_id not in read[-1][1]
            assert words[-1:] != ["odd"]
        elif words[-1:] == ["odd"]:
            assert result.status is ProfileStatus.UNKNOWN


@given(
    words=st.dictionaries(st.text(), st.sampled_from(STATUSES), max_size=5),
    marked=st.sets(st.text(), max_size=3),
    state=st.sampled_from(STATES),
)
def test_answer_is_read_back_whole(
    words: dict[str, ProfileStatus], marked: set[str], state: TargetState | None
) -> None:
    whole = StatusAnswer(
        state,
        "demo-1",
        *(3, None, 2, 0, 1),
        profiles=words,
        contradicted=frozenset(marked),
        unusable=frozenset(words),
        flattened=bool(marked),
        unknown_words='"odd"',
        word="pondering",
        unclear=("More.",),
        withdrawn="stuck",
    )
    assert from_bytes(to_bytes(whole)) == whole
    assert to_bytes(whole) == to_bytes(whole)
