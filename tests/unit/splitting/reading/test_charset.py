"""Encodings that a feed names, and texts that are in another one."""

from __future__ import annotations

import gzip

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import charset
from tests.worlds.splitting import run, run_in_slices

KOELN = "thirdPartyId,city\nA1,Köln\n"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1250", "cp437", "shift_jis"])
def test_utf8_under_another_encoding_rejects_the_file(encoding: str) -> None:
    for text in (KOELN, '{"thirdPartyId": "A1",\t"city": "Köln"}\n', "batch=thirdPartyId,city\nA1,Köln"):
        for data in (text.encode(), gzip.compress(text.encode())):
            with pytest.raises(FileRejectedError, match="and the file is UTF-8") as caught:
                run(data, Feed(encoding=encoding))
            assert "Köln" not in str(caught.value)


def test_sentence_has_both_readings_in_words() -> None:
    with pytest.raises(FileRejectedError) as caught:
        run(KOELN.encode(), Feed(encoding="cp1252"))
    assert str(caught.value) == (
        "The feed names the encoding cp1252, and the file is UTF-8: the first character beyond ASCII, in "
        "line 2, is latin small letter o with diaeresis in UTF-8 and would be latin capital letter a with "
        "tilde and pilcrow sign in cp1252. Remove the encoding from the feed."
    )


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("sign", ["é", "€", "😀"])
def test_utf8_is_found_wherever_it_starts_and_wherever_pieces_end(
    piece: int, sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charset, "_PIECE", piece)
    data = f"pcId,a\n1,x\n2,{sign}\n3,y\n".encode()
    with pytest.raises(FileRejectedError, match="beyond ASCII, in line 3, is"):
        run(data, Feed(encoding="cp1252"))
    with pytest.raises(FileRejectedError, match="beyond ASCII, in line 3, is"):
        run(data + b"4," + sign.encode() * 20 + b"\n", Feed(encoding="cp1252"))


def test_utf8_deep_in_a_long_file_is_found_also_by_a_split_that_goes_on() -> None:
    data = b"pcId,a\n" + b"".join(b"%d,xxxxxxxxxx\n" % number for number in range(30_000)) + "x,é\n".encode()
    with pytest.raises(FileRejectedError, match="in line 30002"):
        run(data, Feed(encoding="cp1252"))
    with pytest.raises(FileRejectedError, match="in line 30002"):
        run_in_slices(data, Feed(encoding="cp1252"), Limits(max_batch_rows=10_000), lambda: lambda: True)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 1024])
@pytest.mark.parametrize(
    ("encoding", "word"),
    [("cp1252", "é"), ("latin-1", "São"), ("cp1251", "мир"), ("cp1252", "\u2019"), ("cp1252", "€é")],
)
def test_row_in_utf8_among_rows_of_another_encoding_is_rejected(
    encoding: str, word: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charset, "_PIECE", piece)
    other, utf8 = word.encode(encoding), word.encode()
    data = b"pcId,a\n1," + other + b"\n2,x" + utf8 + b"x\n3," + utf8 + b"\n4," + other + b" x\n"
    outcome = run(data, Feed(encoding=encoding))
    assert outcome.received == [("1", word), ("4", f"{word} x")]
    assert outcome.rejects == [["3", "a", "mixed_encoding"], ["4", "a", "mixed_encoding"]]
    assert outcome.split.examples.rejects == {"mixed_encoding": [3, 4]}


@pytest.mark.parametrize(
    ("encoding", "word"),
    [("cp1252", "CAFÉ…"), ("cp1252", "É\u2019É”"), ("cp1251", "«МИР»"), ("cp1251", "Я»"), ("gbk", "联通")],
)
def test_word_of_another_encoding_that_happens_to_be_utf8_is_sent(encoding: str, word: str) -> None:
    other = {"cp1252": "été", "cp1251": "мир", "gbk": "中文字"}[encoding]
    outcome = run(f"pcId,a\n1,{word}\n2,{other}\n".encode(encoding), Feed(encoding=encoding))
    assert outcome.received[0] == ("1", word)


def test_ascii_is_read_under_any_encoding() -> None:
    assert run(b"pcId,a\n1,x\n", Feed(encoding="cp1252")).received == [("1", "x")]


def test_another_encoding_that_the_feed_does_not_name_is_told() -> None:
    outcome = run(KOELN.encode("cp1252"))
    assert outcome.rejects == [["2", "city", "invalid_utf8"]]
    assert '"encoding": "cp1252"' in outcome.rejected_rows.decode(errors="replace").replace('""', '"')
    with pytest.raises(FileRejectedError, match='"encoding": "cp1252"'):
        run("pcId,Straße\n1,x\n".encode("cp1252"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_text_that_is_cut_inside_a_character_rejects_the_file(encoding: str) -> None:
    with pytest.raises(FileRejectedError, match=r"text, or is cut short: save it as UTF-8\.$"):
        run("thirdPartyId,city\nA1,Köln".encode(encoding)[:-1])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_half_a_surrogate_pair_rejects_its_row(encoding: str) -> None:
    """It is no character in any encoding, and costs no more than the row."""
    outcome = run("thirdPartyId,city\nA1,\ud800x\nA2,Ulm\n".encode(encoding, "surrogatepass"))
    assert (outcome.received, outcome.rejects) == ([("A2", "Ulm")], [["2", "city", "invalid_utf8"]])


def test_nul_in_a_later_line_of_a_file_with_cr_costs_its_row_alone() -> None:
    """In the first line it shows that the file is not text."""
    outcome = run(b"pcId,a\r1,\0y\r2,z\r")
    assert outcome.received[-1] == ("2", "z")
    assert outcome.split.rows.read == 2
    with pytest.raises(FileRejectedError, match="not text"):
        run(b"pcId,a\0\r1,y\r")
