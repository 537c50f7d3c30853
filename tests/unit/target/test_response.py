"""What every reader does alike: two statuses for one id."""

from __future__ import annotations

import pytest

from tests.worlds.answers import head, profile, results, status


@pytest.mark.fault(48, "an id named twice")
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("words", "cautious"),
    [
        (["success", "pending"], "pending"),
        (["success", "failed"], "error"),
        (["pending", "error"], "error"),
        (["success", "odd"], "unknown"),
        (["odd", "pending"], "pending"),
    ],
)
def test_record_status_keeps_the_more_cautious_status(words: list[str], cautious: str, order: int) -> None:
    answer = status(head(), *(profile("a", word) for word in words[::order]))
    assert answer.profiles == {"a": cautious}
    assert ("a" in answer.contradicted) is ("success" in words)
    encoded = status(
        head(), *(profile(i, w) for i, w in zip(("%61", "&#37;61"), words[::order], strict=True))
    )
    assert results(encoded, "a") == [f"{cautious} reported"]
