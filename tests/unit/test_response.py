"""What is read of Target's `<response>`: every limit to the byte, every refusal in words, any pieces."""

from __future__ import annotations

import codecs

import pytest

from bulk_profiles.response import Response, read_status_response

ENOUGH = 10_000_000
WHOLE = (
    "<?xml version='1.0'?>\n<response><batchId>demo-1</batchId>"
    "<profile><id>a&amp;&lt;b&c&#1114111;é</id><status>failed</status></profile></response>"
).encode()


def read(*chunks: bytes) -> Response:
    return read_status_response(chunks, ENOUGH)


class TestPieces:
    @pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
    @pytest.mark.parametrize("before", [b"", b"\r\n "])
    @pytest.mark.parametrize("after", [b"", b"\n"])
    @pytest.mark.parametrize("answer", [WHOLE, b"demo-1 a success"])
    def test_white_space_and_a_mark_before_the_answer_are_passed_over(
        self, mark: bytes, before: bytes, after: bytes, answer: bytes
    ) -> None:
        body = before + mark + after + answer
        assert read(body) == read(*(bytes([byte]) for byte in body)) == read(answer)
