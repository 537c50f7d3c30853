"""What a profile that was read back shows, and what a sample says of all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.accounting.verification import (
    Difference,
    Verification,
    differences,
    lower_bound,
    with_verification,
)
from bulk_profiles.target.stored_profile import StoredProfile, StoredValue

SENT_AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LATER = SENT_AT + timedelta(hours=2)


def stored(value: str, at: datetime | None = SENT_AT) -> StoredProfile:
    return StoredProfile({"name": StoredValue(value, at), "user.browser": StoredValue("Firefox")})


@given(st.text(min_size=1))
def test_value_as_it_was_sent_is_no_difference(value: str) -> None:
    assert differences({"name": value}, stored(value), sent_at=SENT_AT, changed_after=LATER) == {}


@pytest.mark.parametrize(
    ("sent", "value", "kind"),
    [
        ("Lovelace, Ada", "Lovelace", Difference.CUT),
        ('5" pipe', "5", Difference.CUT),
        ("one\ntwo", "one", Difference.CUT),
        (",", "", Difference.CUT),
        ("New York", "New+York", Difference.PLUS),
        ("a+b", "a b", Difference.PLUS),
        ("New York", "New%20York", Difference.ENCODED),
        ("a&b", "a%26b", Difference.ENCODED),
        ("Zürich", quote("Zürich"), Difference.ENCODED),
        ("New York", "New", Difference.OTHER),
        ("Oslo", "Bergen", Difference.OTHER),
        ("Oslo", "", Difference.OTHER),
    ],
)
def test_each_kind_of_another_value_is_named(sent: str, value: str, kind: Difference) -> None:
    assert differences({"name": sent}, stored(value), sent_at=SENT_AT, changed_after=LATER) == {"name": kind}


def test_missing_attribute_and_missing_profile_are_told_apart() -> None:
    assert differences({"Name": "Ada"}, stored("Ada")) == {"Name": Difference.MISSING}
    assert differences({"name": "Ada"}, None) == {"": Difference.NO_PROFILE}


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (SENT_AT - timedelta(minutes=6), Difference.OLDER),
        (SENT_AT - timedelta(minutes=4), Difference.OTHER),
        (LATER - timedelta(minutes=6), Difference.OTHER),
        (LATER - timedelta(minutes=4), Difference.NEWER),
        (LATER, Difference.NEWER),
        (None, Difference.NEWER),
    ],
)
def test_time_of_a_value_says_whose_it_is(written: datetime | None, kind: Difference) -> None:
    found = differences({"name": "Oslo"}, stored("Bergen", written), sent_at=SENT_AT, changed_after=LATER)
    assert found == {"name": kind}


@pytest.mark.parametrize(
    ("written", "replaced_after", "kind"),
    [
        (None, None, Difference.PLUS),
        (None, LATER, Difference.NEWER),
        (SENT_AT, LATER, Difference.PLUS),
        (LATER, None, Difference.NEWER),
    ],
)
def test_value_without_a_time_has_that_of_its_profile(
    written: datetime | None, replaced_after: datetime | None, kind: Difference
) -> None:
    profile = StoredProfile({"name": StoredValue("New+York")}, written)
    found = differences({"name": "New York"}, profile, changed_after=LATER, replaced_after=replaced_after)
    assert found == {"name": kind}


@pytest.mark.parametrize(
    ("written", "replaced_after", "kind"),
    [
        (None, None, Difference.MISSING),
        (LATER, None, Difference.MISSING),
        (LATER, LATER, Difference.NEWER),
        (None, LATER, Difference.NEWER),
        (LATER - timedelta(minutes=6), LATER, Difference.MISSING),
    ],
)
def test_attribute_that_a_later_import_may_have_removed_is_not_called_missing(
    written: datetime | None, replaced_after: datetime | None, kind: Difference
) -> None:
    found = differences({"name": "Ada"}, StoredProfile({}, written), replaced_after=replaced_after)
    assert found == {"name": kind}


# Where all are hits it is 0.05 ** (1 / tries); the test below adds up the probability of the others anew.
@pytest.mark.parametrize(
    ("hits", "tries", "bound"),
    [
        (300, 300, 0.05 ** (1 / 300)),
        (1, 1, 0.05),
        (0, 10, 0.0),
        (0, 0, 0.0),
        (1, 2, 1 - 0.95 ** (1 / 2)),
        (5, 10, 0.222441),
        (9, 10, 0.605836),
    ],
)
def test_lower_bound_is_that_of_clopper_and_pearson(hits: int, tries: int, bound: float) -> None:
    assert lower_bound(hits, tries) == pytest.approx(bound, abs=1e-6)


@given(st.integers(1, 60), st.data())
def test_bound_is_the_share_from_which_so_many_hits_are_likely_enough(
    tries: int, data: st.DataObject
) -> None:
    """By another way: the hits of all outcomes are added up as fractions of counts."""
    hits = data.draw(st.integers(1, tries))
    bound = lower_bound(hits, tries)

    def chance(share: float) -> float:
        ways, total = 1.0, 0.0
        for n in range(tries + 1):
            total += ways * share**n * (1 - share) ** (tries - n) if n >= hits else 0
            ways = ways * (tries - n) / (n + 1)
        return total

    assert chance(bound) == pytest.approx(0.05, rel=1e-6)


def test_confidence_is_never_rounded_up() -> None:
    says = " ".join(Verification(299, 299, as_sent=299).says)
    assert (
        says == "299 of 299 profiles that were read back are as sent: with 95 % confidence at least 99 % are."
    )
    assert 0.99 < lower_bound(299, 299) < 0.9901


def test_attributes_that_differ_most_are_named_first() -> None:
    kinds = {"cut": {"a": 1, "b": 3, "c": 2, "d": 1}, "missing": {"e": 2}}
    says = Verification(9, 9, as_sent=2, different=7, kinds=kinds).says
    assert says[0] == (
        "7 of 9 profiles that were read back are not as sent: e is missing (2), b is cut at a separator (3), "
        "c is cut at a separator (2), a is cut at a separator (1), 1 more like that."
    )
    assert says[1:] == [
        "Drop the file again: Target has not kept all that it said it took.",
        "Set SeparatorInValue to replace or reject, and drop the file again.",
    ]


def test_profiles_that_say_nothing_are_counted() -> None:
    one = Verification(5, 9, as_sent=2, newer=1, not_read=2, reason="Target answered HTTP 500.")
    assert one.says[1:] == [
        "1 profile had been changed since and says nothing.",
        "2 profiles could not be read. Target answered HTTP 500.",
    ]
    assert Verification(5, 9, not_read=5, reason="Why.").says == ["No profile could be read back. Why."]


def test_what_a_sample_has_shown_is_said_once() -> None:
    sample = Verification(1, 1, as_sent=1)
    said = with_verification("All is well.", sample)
    assert with_verification(said, sample) == said
    assert with_verification("All is well.", None) == "All is well."
