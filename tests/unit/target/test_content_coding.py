"""Content codings: every way to cut and compress a body, and that its end must be there."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.target.content_coding import ContentCodingError, Decoder

BODY = b"demo-1 complete 3 a failed " * 9000  # several pieces when decoded
CODINGS = {
    "": BODY,
    "identity": BODY,
    "gzip": gzip.compress(BODY),
    " X-GZip ": gzip.compress(BODY[:99]) + gzip.compress(BODY[99:]),
    "deflate": zlib.compress(BODY),
    "Deflate": zlib.compress(BODY, wbits=-zlib.MAX_WBITS),
}


def decode(coding: str, data: bytes, size: int) -> bytes:
    decoder = Decoder(coding)
    pieces = list(decoder.decode(data[at : at + size] for at in range(0, len(data), size)))
    assert coding in {"", "identity"} or max(map(len, pieces), default=0) <= 64 * 1024
    return b"".join(pieces)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_decoder_returns_the_body(coding: str, size: int) -> None:
    assert decode(coding, CODINGS[coding], size) == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate", "Deflate"])
def test_decoder_of_data_cut_short_raises(coding: str) -> None:
    for cut in (1, 2, 3, 5, 100, len(CODINGS[coding])):
        with pytest.raises(ContentCodingError, match=r"cut short in its content coding\.$"):
            decode(coding, CODINGS[coding][:-cut], 50)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("garbage", [b"x" * 20, b"\x00" * 20])
def test_decoder_of_garbage_raises(coding: str, garbage: bytes) -> None:
    for data in (b"\x1f" + garbage, CODINGS[coding] + garbage):
        with pytest.raises(ContentCodingError, match=r"not in the content coding that it names\.$"):
            decode(coding, data, 1000)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip, identity", "*"])
def test_decoder_of_another_coding_raises(coding: str) -> None:
    with pytest.raises(ContentCodingError, match=r"not asked for\.$"):
        Decoder(coding)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "Deflate"]), st.integers(1, 400))
def test_decoder_of_any_data_returns_them(data: bytes, coding: str, size: int) -> None:
    compress = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "Deflate": lambda each: zlib.compress(each, wbits=-zlib.MAX_WBITS),
    }
    assert decode(coding, compress[coding](data), size) == data
