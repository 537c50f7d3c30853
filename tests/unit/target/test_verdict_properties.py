"""What holds for every verdict: it claims nothing that Target did not say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.models import Basis, BatchState, ProfileStatus
from bulk_profiles.target.answers import StatusAnswer, TargetState
from bulk_profiles.target.verdict import settle

words = st.sampled_from(list(ProfileStatus))
answers = st.builds(
    StatusAnswer,
    state=st.none() | st.sampled_from(list(TargetState)),
    batch_size=st.none() | st.integers(0, 6),
    consumed=st.none() | st.integers(0, 6),
    successful=st.none() | st.integers(0, 6),
    not_found=st.none() | st.integers(0, 3),
    failed=st.none() | st.integers(0, 3),
    profiles=st.dictionaries(st.sampled_from("abcdxyz"), words, max_size=6),
)


@given(st.none() | answers, st.integers(1, 4), st.booleans())
def test_settle_claims_nothing_that_target_did_not_say(
    answer: StatusAnswer | None, rows: int, overdue: bool
) -> None:
    batch = "abcd"[:rows]
    verdict = settle(answer, batch, rows=rows, overdue=overdue)
    if verdict is None:
        assert not overdue
        return
    statuses = answer.profiles if answer else {}
    for profile_id in batch:
        result = verdict.result_of(profile_id)
        assert (result.basis is Basis.REPORTED) == (profile_id in statuses)
        if profile_id in statuses:
            assert result.status is statuses[profile_id]
        elif result.status is ProfileStatus.SUCCESS:
            assert answer is not None
            assert answer.state is TargetState.COMPLETE
            errors = sum(statuses.get(other) is ProfileStatus.ERROR for other in batch)
            assert (answer.failed or 0) + (answer.not_found or 0) <= errors
            assert all(number is None or number >= rows for number in (answer.batch_size, answer.consumed))
            assert ProfileStatus.SUCCESS not in {statuses.get(other) for other in batch}
    pending = any(verdict.result_of(profile_id).status is ProfileStatus.PENDING for profile_id in batch)
    if verdict.state is not BatchState.STUCK:
        assert (verdict.state is BatchState.COMPLETE) or overdue
        assert not (pending and verdict.state is BatchState.COMPLETE)
    assert settle(answer, batch, rows=rows, overdue=True) == verdict
