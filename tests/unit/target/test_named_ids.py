"""The ids that Target named: every spelling of an id, and spellings that fit two."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulk_profiles.core.models import Basis, ProfileStatus
from bulk_profiles.target.answers import StatusAnswer, read_status
from bulk_profiles.target.named_ids import match_ids
from bulk_profiles.target.response import UnusableAnswerError
from bulk_profiles.target.verdict import settle
from tests.worlds.answers import counts, element, head, profile, results, status

# Spellings


@pytest.mark.fault(48, "encoded ids")
@pytest.mark.parametrize(
    "spelling",
    ["a&b c<é", "a%26b%20c%3C%C3%A9", "a%26b+c%3c%c3%a9", "a&amp;b c&lt;é", "a&#38;b c&#x3c;é"],
)
def test_match_ids_id_is_found_in_any_encoding(spelling: str) -> None:
    for written in (
        spelling.replace("&", "&amp;").replace("<", "&lt;"),
        f"\n  {spelling.replace('<', '&lt;')}  ",
    ):
        answer = status(head(size=""), profile(written, "failed"))
        assert results(answer, "a&b c<é", "a") == ["error reported", "success implied"]
        assert results(answer, " a&b  c<é\n", "a") == ["error reported", "success implied"]


@pytest.mark.fault(48, "an id that reads like one that Target named, and that it did not name: unknown")
@pytest.mark.parametrize(
    ("spelling", "other"),
    [
        ("x%20y", "x y"),
        ("x y", "x%20y"),
        ("p+q", "p q"),
        ("p+q", "p%20q"),
        ("p q", "p+q"),
        ("a&amp;b", "a&b"),
        ("a&b", "a&amp;b"),
        ("a&lt;b", "a<b"),
        ("a&b", "a%26b"),
        ("a&#43;b", "a+b"),
        ("a%2526b", "a&b"),
        ("a&amp;amp;b", "a&b"),
        ("a%26amp;b", "a&b"),
        ("a&b", "a%2526b"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", "\u00c3\u00a9"),
        ("\u00c3\u00a9", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("%E9", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("%80", "\N{EURO SIGN}"),
        ("a", " a"),
        ("a b", "a  b"),
        ("a  b", "a b"),
        (" a", "a"),
        ("a\n", "a"),
    ],
)
def test_match_ids_exact_spelling_is_doubtful_beside_ids_that_read_like_it(spelling: str, other: str) -> None:
    for word in ("success", "failed", "pending", "odd"):
        written = profile(spelling.replace("&", "&amp;"), word)
        cdata = profile(f"<![CDATA[{spelling}]]>", word)
        third = "success implied" if word == "failed" else "unknown batch"
        for answer in (status(head(size=""), written), status(head(size=""), cdata)):
            assert results(answer, spelling, other, "c") == ["unknown batch", "unknown batch", third]
    written = profile(spelling.replace("&", "&amp;"), "failed")
    escaped = other.replace("&", "&amp;").replace("<", "&lt;")
    both = status(element("batchId", "b1"), written, profile(escaped, "success"))
    assert results(both, spelling, other) == ["error reported", "success reported"]


@pytest.mark.fault(48, "a spelling that may stand for two ids is believed for neither")
@pytest.mark.parametrize(
    ("spelling", "ids"),
    [
        ("p&#43;q", ("p+q", "p q")),
        ("x%2520y&amp;z", ("x%2520y&z", "x%20y&z")),
        ("\n a\n", ("a", " a")),
        ("a", (" a", "a ")),
        ("%61", ("a", "a\t")),
    ],
)
def test_match_ids_spelling_of_two_ids_makes_both_doubtful(spelling: str, ids: tuple[str, str]) -> None:
    written = spelling.replace("&", "&amp;")
    answer = status(head(size=""), profile(written, "failed"))
    assert results(answer, *ids, "c") == ["unknown batch", "unknown batch", "success implied"]
    assert results(answer, ids[0], "c") == ["error reported", "success implied"]
    verdict = settle(answer, (*ids, "c"), rows=3, overdue=False)
    assert verdict is not None
    assert (verdict.named.foreign.total(), verdict.result_of(ids[0]).reason) == (
        0,
        "Target named an id that may be this one, or another of the batch.",
    )
    every = status(element("batchId", "b1"), profile(written, "success"), profile("c", "success"))
    assert settle(every, (*ids, "c"), rows=3, overdue=False) is None
    # If the other id is spelled exactly, this spelling may still stand for it.
    exact = ids[1].replace("&", "&amp;")
    answer = status(head(size=""), profile(written, "failed"), profile(exact, "success"))
    assert results(answer, *ids, "c") == ["unknown batch"] * 3


def test_match_ids_doubtful_ids_of_all_spellings_add_up() -> None:
    answer = status(head(size=""), *(profile(spelling, "failed") for spelling in ("%61", "%62")))
    doubtful = ["unknown batch"] * 4
    assert results(answer, "a", "a\t", "b", "b\t") == doubtful
    encoded = status(
        head(size=""), profile("%61", "failed"), profile("x%20y", "failed"), profile("x%2520y", "odd")
    )
    assert results(encoded, "a", "a\t", "x y", "x%20y") == doubtful


@pytest.mark.fault(48, "a success by name, and a failure of a spelling that may stand for the same id")
def test_match_ids_exact_statuses_do_not_survive_a_doubtful_spelling() -> None:
    exact = (profile("p+q", "success"), profile("p q", "success"))
    answer = status(head(size=""), *exact)
    assert results(answer, "p+q", "p q") == ["success reported", "success reported"]
    for word in ("failed", "", "pending"):
        answer = status(head(size=""), profile("p+q", word), *exact)
        assert results(answer, "p+q", "p q") == ["unknown batch", "unknown batch"]
    answer = status(head(size=""), profile("p+q", "failed"), profile("p+q", ""), profile("p q", "success"))
    assert results(answer, "p+q", "p q") == ["unknown batch", "unknown batch"]
    answer = status(head(size=""), profile("p&amp;#43;q", "failed"), *exact)
    assert results(answer, "p+q", "p q") == ["unknown batch", "unknown batch"]


@pytest.mark.parametrize(
    ("children", "third"),
    [
        ([head(), profile("a%20b", "failed")], "success implied"),
        ([head(), counts(2, 0, 1), profile("a%20b", "failed")], "success implied"),
        ([head(), counts(3, 0, 0), profile("a%20b", "failed")], "unknown counts"),
        ([head(), counts(1, 0, 2), profile("a%20b", "failed")], "unknown counts"),
        # They may be the same id.
        ([head(), counts(1, 0, 2), profile("a%20b", "failed"), profile("a+b", "failed")], "unknown counts"),
        ([head(), profile("a%20b", "success")], "unknown batch"),
        ([head(), counts(3, 0, 0), profile("a%20b", "success")], "unknown batch"),
        ([head(), counts(1, 0, 0), profile("a%20b", "success"), profile("c", "success")], "unknown reported"),
    ],
)
def test_doubtful_ids_are_counted(children: list[str], third: str) -> None:
    verdict = settle(status(*children), ("a b", "a%20b", "c"), rows=3, overdue=True)
    assert verdict is not None
    result = verdict.result_of("c")
    assert f"{result.status} {result.basis}" == third
    assert {verdict.result_of(each).status for each in ("a b", "a%20b")} == {ProfileStatus.UNKNOWN}


def test_reference_to_a_number_of_thousands_of_digits_stands_for_nothing() -> None:
    answer = status(head(size=""), profile(f"&amp;#{'1' * 5000};", "failed"))
    assert results(answer, "a", "b") == ["unknown batch", "unknown batch"]


@pytest.mark.parametrize("spelling", ["caf%E9%ff%80", "&amp;#0;", "%ff%FE"])
def test_what_stands_for_no_character_is_no_replacement_character(spelling: str) -> None:
    ids = ("\N{REPLACEMENT CHARACTER}", "caf\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}" * 2)
    assert results(status(head(size=""), profile(spelling, "success")), *ids) == ["unknown batch"] * 3


def test_match_ids_unreadable_profile_is_unusable_however_its_id_is_spelled() -> None:
    unreadable = profile("%61", "success").replace("</profile>", f"<id>{'x' * 9000}</id></profile>")
    named = match_ids(status(head(size=""), unreadable, profile("b", "success")), ["a", "b"], 2)
    assert "a" in named.unusable
    assert "b" not in named.unusable


def test_match_ids_id_that_is_also_encoded_doubts_another() -> None:
    answer = status(head(size=""), profile("x%20y", "failed"), profile("x%2520y", "success"))
    assert results(answer, "x%20y", "x y") == ["unknown batch", "unknown batch"]
    assert results(answer, "x%20y", "c") == ["error reported", "unknown batch"]


def test_match_ids_exact_id_goes_before_the_decoded_one() -> None:
    answer = status(element("batchId", "b1"), profile("a%26b", "success"), profile("a&amp;b", "error"))
    assert results(answer, "a%26b", "a&b") == ["success reported", "error reported"]


def test_match_ids_status_words_in_xml_ids_are_part_of_the_id() -> None:
    answer = status(head(size=""), profile("a success", "failed"))
    assert results(answer, "a success", "complete 5") == ["error reported", "success implied"]


# Flattened answers


MISLEADING = "The answer lost its tags, and the batch has ids that may mislead."
SPACED = ("id one", "id2", "3 4", "completed", "id 5 x")


@pytest.mark.fault(50, "flattened text with spaces in the ids")
@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        (
            "id one success id2 failed 3 4 success completed error id 5 x pending",
            ["success", "error", "success", "error", "pending"],
        ),
        ("3 4 failed id 5 x success", [None, None, "error", None, "success"]),
        ("complete 5 id one failed 3 4 failed", ["error", None, "error", None, None]),
        ("complete 5 3 4 failed completed failed", [None, None, "error", "error", None]),
        ("incomplete 5 completed success", [None, None, None, "success", None]),
        ("id+one failed 3%204 failed", ["error", None, "error", None, None]),
    ],
)
def test_match_ids_flattened_ids_with_spaces_are_found(text: str, statuses: list[str | None]) -> None:
    for spaces in (" ", "\n "):
        answer = read_status([f"demo-1 {text}".replace(" ", spaces).encode()])
        assert read_status(bytes([byte]) for byte in f"demo-1 {text}".replace(" ", spaces).encode()) == answer
        verdict = settle(answer, SPACED, rows=5, overdue=True)
        assert verdict is not None
        assert [verdict.named.status_of(profile_id) for profile_id in SPACED] == statuses


def test_match_ids_flattened_ids_keep_their_white_space() -> None:
    answer = read_status([b"demo-1 complete 2 a  b failed"])
    assert results(answer, "a  b", "a b") == ["unknown batch", "unknown batch"]
    assert results(answer, "a b", "c") == ["error reported", "success implied"]


def test_match_ids_flattened_word_of_no_id_is_foreign() -> None:
    answer = read_status([b"demo-1 complete 2 other pending a failed"])
    assert results(answer, "a", "b") == ["error reported", "unknown batch"]


@pytest.mark.parametrize(
    ("text", "ids", "message"),
    [
        ("a b failed", ("a", "c d"), "The answer lost its tags, and has words that are no id of the batch."),
        ("x y failed", ("a", "b"), "The answer lost its tags, and has words that are no id of the batch."),
        ("a failed", ("a", "b failed"), MISLEADING),
        *(
            (
                f"a success {word}",
                ("a", word),
                "The answer lost its tags, and the batch has ids that may mislead.",
            )
            for word in ("failed", "error", "Success", "pending", "complete", "Incomplete", "stuck")
        ),
    ],
)
def test_match_ids_flattened_ambiguous_text_raises_a_reason(
    text: str, ids: tuple[str, ...], message: str
) -> None:
    answer = read_status([f"demo-1 {text}".encode()])
    with pytest.raises(UnusableAnswerError) as raised:
        match_ids(answer, ids, 2)
    assert str(raised.value) == message


def flat_oracle(pairs: list[tuple[str, str]], ids: tuple[str, ...]) -> dict[str, str]:
    """What pairs of an id and a word say of each id: a success may be lost, and nothing else."""
    said: dict[str, set[str]] = {}
    for profile_id, word in pairs:
        status = {"success": "success", "failed": "error", "pending": "pending"}.get(word, "unknown")
        said.setdefault(profile_id, set()).add(status)
    order = ("error", "pending", "unknown", "success")
    return {each: min(said[each], key=order.index) for each in ids if each in said}


@pytest.mark.fault(
    50, "one odd pair in a flattened answer: it is unknown, the others count, nothing is implied"
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["u1", "u2", "u3", "u4", "zz"]),
            st.sampled_from(["success", "success", "failed", "pending", "odd", "skipped", ""]),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["complete 6", ""]),
)
def test_match_ids_odd_pairs_of_a_flattened_answer(pairs: list[tuple[str, str]], batch: str) -> None:
    ids = ("u1", "u2", "u3", "u4", "u5", "u6")
    known = {"success", "failed", "pending"}
    assume(any(word in known and name != "zz" for name, word in pairs))
    text = f"demo-1 {batch} " + " ".join(f"{name} {word}" for name, word in pairs)
    verdict = settle(read_status([text.encode()]), ids, rows=6, overdue=True)
    assert verdict is not None
    expected = flat_oracle(pairs, ids)
    odd = any(word not in known for _, word in pairs)
    without_word = any(not word for _, word in pairs)
    strange = any(name == "zz" for name, _ in pairs)
    for each in ids:
        result = verdict.result_of(each)
        if each not in expected:
            assert result.basis is not Basis.REPORTED
            assert (result.basis is Basis.IMPLIED) <= (not odd and not strange)
        elif expected[each] == "success" and (without_word or strange):
            assert result.status in {"success", "unknown"}
        else:
            assert result.status == expected[each]
    if odd:
        assert "cannot be read." in verdict.reason + verdict.note


def test_match_ids_odd_pair_of_a_flattened_answer_is_unknown_alone() -> None:
    answer = read_status([b"demo-1 complete 4 a success b odd c success"])
    assert results(answer, "a", "b", "c", "d") == [
        "success reported",
        "unknown reported",
        "success reported",
        "unknown batch",
    ]
    two = read_status([b"demo-1 complete 4 a odd b skipped c success"])
    assert results(two, "a", "b", "c", "d")[:3] == ["unknown reported"] * 2 + ["success reported"]
    three_ids = read_status([b"demo-1 complete 4 a odd b c d success"])
    assert results(three_ids, "a", "b", "c", "d") == ["unknown reported"] * 4
    missing = read_status([b"demo-1 complete 4 a failed b c success"])  # a word, or the id of another
    assert results(missing, "a", "b", "c", "d")[1:3] == ["unknown reported"] * 2
    beside = read_status([b"demo-1 complete 4 a success b odd zz success"])
    assert results(beside, "a", "b", "c", "d")[:2] == ["success reported", "unknown reported"]
    foreign = read_status([b"demo-1 complete 4 a failed zz odd b success"])
    assert results(foreign, "a", "b", "c", "d")[:2] == ["error reported", "unknown reported"]
    twice = read_status([b"demo-1 complete 4 b success b odd c failed"])
    assert results(twice, "a", "b", "c", "d")[1:3] == ["unknown reported", "error reported"]
    at_the_end = read_status([b"demo-1 complete 4 a failed b"])
    assert results(at_the_end, "a", "b", "c")[1:] == ["unknown reported", "unknown batch"]


def test_match_ids_reads_a_large_batch_once() -> None:
    rows = 2000
    ids = [f"u{number}" for number in range(rows)]
    answer = status(head(size=rows), *(profile(name, "failed") for name in ids[::2]))
    named = match_ids(answer, iter(ids), rows)
    assert named.by_status == {ProfileStatus.ERROR: rows / 2, ProfileStatus.UNKNOWN: 0, None: rows / 2}
    assert not named.doubtful


def test_profiles_of_a_denied_answer_are_unknown_beside_those_that_were() -> None:
    """By the statuses that are counted, too."""
    pairs = {"a": ProfileStatus.SUCCESS, "b": ProfileStatus.UNKNOWN, "c": ProfileStatus.ERROR}
    named = match_ids(StatusAnswer(None, profiles=pairs), [*pairs, "d"], 4).without_successes()
    assert named.by_status == {ProfileStatus.UNKNOWN: 2, ProfileStatus.ERROR: 1, None: 1}
    assert named.status_of("a") is ProfileStatus.UNKNOWN


def test_two_spellings_that_read_alike_and_are_no_ids_of_the_batch_are_foreign() -> None:
    spellings = {"a%20b": ProfileStatus.ERROR, "a b": ProfileStatus.ERROR}
    named = match_ids(StatusAnswer(None, profiles=spellings), ["c"], 1)
    assert named.foreign == {ProfileStatus.ERROR: 2}
    assert (named.by_reading, named.by_status[None]) == ({}, 1)
