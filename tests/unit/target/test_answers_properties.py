"""What holds for every answer: whatever the ids, wherever it is cut, however it is mangled."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target.answers import read_receipt, read_status
from bulk_profiles.target.response import UnusableAnswerError
from bulk_profiles.target.verdict import settle

WORDS = {
    "success": ProfileStatus.SUCCESS,
    "error": ProfileStatus.ERROR,
    "failed": ProfileStatus.ERROR,
    "Pending": ProfileStatus.PENDING,
    "odd": ProfileStatus.UNKNOWN,
}
STATES = {"": None, "complete": "complete", "Incomplete": "incomplete", "stuck": "stuck", "odd": "other"}
REFERENCE = re.compile(r"&(?=amp;|lt;|gt;|quot;|apos;|#)")

# What XML can hold, white space at the ends aside; what makes trouble often.
characters = st.one_of(
    st.sampled_from("&<>;#%+'\"ampltx0"),
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
)
ids = st.text(characters, min_size=1, max_size=12).map(str.strip).filter(bool)
reported = st.dictionaries(ids, st.sampled_from(list(WORDS)), max_size=8)
numbers = st.none() | st.integers(0, 12)
cuts = st.lists(st.integers(0, 400), max_size=6)


def written(text: str, *, raw_ampersand: bool) -> str:
    """Escape a text as carefully as Target does: perhaps not an ampersand that cannot be misread."""
    escaped = (REFERENCE.sub("&amp;", text) if raw_ampersand else text.replace("&", "&amp;")).replace(
        "<", "&lt;"
    )
    return escaped.replace(">", "&gt;")


def rendered(word: str, size: int | None, failed: int | None, profiles: dict[str, str], *, raw: bool) -> str:
    fields = {"batchId": "demo-1", "status": word or None, "batchSize": size, "failedUpdates": failed}
    lines = [f"<{name}>{text}</{name}>" for name, text in fields.items() if text is not None]
    lines += [
        f"<profile>\n<id>{written(profile_id, raw_ampersand=raw)}</id><status> {status}</status></profile>"
        for profile_id, status in profiles.items()
    ]
    return f"<response>{''.join(lines)}</response>"


def pieces(data: bytes, at: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(at), len(data)]
    return (data[start:end] for start, end in itertools.pairwise(edges))


@pytest.mark.fault(50, "all generations of the answer, and the flattened text")
@given(st.sampled_from(list(STATES)), numbers, numbers, reported, st.booleans(), cuts)
def test_read_status_of_every_generation_is_as_written(
    word: str, size: int | None, failed: int | None, profiles: dict[str, str], raw: bool, at: list[int]
) -> None:
    body = rendered(word, size, failed, profiles, raw=raw).encode()
    answer = read_status(pieces(body, at))
    assert (answer.state, answer.batch_size, answer.failed) == (STATES[word], size, failed)
    assert answer.profiles == {profile_id: WORDS[status] for profile_id, status in profiles.items()}
    assert all(answer.profiles.get(profile_id) is WORDS[status] for profile_id, status in profiles.items())


@given(reported, st.booleans(), st.data())
def test_read_status_of_half_an_answer_is_unusable(
    profiles: dict[str, str], raw: bool, data: st.DataObject
) -> None:
    body = rendered("complete", 3, 0, profiles, raw=raw).encode()
    length = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(UnusableAnswerError):
        read_status([body[:length]])


# Bytes, and answers with some bytes replaced: some of these can still be read.
replaced = st.dictionaries(st.integers(0, 200), st.integers(0, 255), max_size=2)
mangled = st.builds(
    lambda profiles, changes: bytes(
        changes.get(place, byte)
        for place, byte in enumerate(rendered("complete", 3, 0, profiles, raw=True).encode())
    ),
    reported,
    replaced,
)


def test_read_status_of_garbage_is_the_same_in_pieces() -> None:
    readable = Counter[bool]()

    @given(st.binary(max_size=300) | mangled, cuts)
    def check(garbage: bytes, at: list[int]) -> None:
        try:
            answer = read_status([garbage])
        except UnusableAnswerError:
            readable[False] += 1
            with pytest.raises(UnusableAnswerError):
                read_status(pieces(garbage, at))
        else:
            readable[True] += 1
            assert read_status(pieces(garbage, at)) == answer
        assert read_receipt(garbage).success in {True, False, None}

    check()
    assert min(readable[True], readable[False]) >= 10


def test_settle_mangled_answer_raises_nothing() -> None:
    settled = Counter[bool]()

    @given(reported, st.data())
    def check(profiles: dict[str, str], data: st.DataObject) -> None:
        body = bytearray(rendered("complete", 3, 0, profiles, raw=True).encode())
        for _ in range(data.draw(st.integers(1, 4))):
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        try:
            answer = read_status([bytes(body)])
        except UnusableAnswerError:
            settled[False] += 1
            return
        settled[True] += 1
        settle(answer, profiles, rows=max(1, len(profiles)), overdue=True)

    check()
    assert min(settled[True], settled[False]) >= 10
