"""Headers whose delimiter or end is not seen at the first look."""

from __future__ import annotations

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.core.models import KeyColumn
from tests.worlds.splitting import run


@pytest.mark.parametrize("name", ["kunde", "profile.kunde", " kunde"])
@pytest.mark.parametrize(
    ("rest", "value"), [("name, vorname", "b"), ('"Umsatz, netto"', "3"), ('"a\nb, c, d"', "x")]
)
def test_the_delimiter_that_gives_the_feeds_key_column_wins(name: str, rest: str, value: str) -> None:
    outcome = run(f"{name};{rest}\n1;{value}\n".encode(), Feed(mapping=Mapping(key="kunde")))
    assert outcome.received == [("1", value)]


def test_the_delimiter_that_gives_the_feeds_kind_of_key_wins() -> None:
    outcome = run(b"pcId,x;a;thirdPartyId\n1,2;3;4\n", Feed(key_column=KeyColumn.THIRD_PARTY_ID))
    assert outcome.received == [("4", "1,2", "3")]
    outcome = run(b"a,pcId,b;thirdPartyId\n1,2,3;4\n", Feed(key_column=KeyColumn.THIRD_PARTY_ID))
    assert outcome.received == [("4", "1,2,3")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_header_alone_may_have_a_line_break_in_a_name(delimiter: str, end: str, last: bool) -> None:
    data = delimiter.join(["a", "pcId", '"x\ny"']) + end * last
    assert run(data.encode()).split.rows.read == 0


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("size", [64 * 1024, 300_000])
@pytest.mark.parametrize("key_first", [True, False])
def test_a_long_header_may_have_line_breaks_in_names(delimiter: str, size: int, key_first: bool) -> None:
    names = [f'"name\n{number}"' for number in range(size // 10)]
    names.insert(0 if key_first else len(names), "pcId")
    row = ["1"] * len(names)
    outcome = run((delimiter.join(names) + "\n" + delimiter.join(row) + "\n").encode())
    assert outcome.split.rows.sent == 1


def test_a_name_that_is_never_closed_is_found_in_bounded_memory() -> None:
    with pytest.raises(FileRejectedError, match="quoted name in its header is never closed"):
        run(b'"pcId,a\n' + b"1,x\n" * 3_000_000)
    with pytest.raises(FileRejectedError, match="no key column"):
        run(b'id;name,"x\n' + b"1,x\n" * 3_000_000)
