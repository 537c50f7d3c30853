"""The digest of a source file, and how far it was read."""

from __future__ import annotations

import hashlib

from tests.worlds.splitting import MemoryFile, run

PLAIN = b"thirdPartyId,city,age\n1,Oslo,40\n2,Rome,50\n"


def test_digest_is_that_of_the_file_as_stored() -> None:
    for data in (PLAIN, b"\xef\xbb\xbf" + PLAIN, PLAIN.decode().encode("utf-16")):
        assert run(data).split.source_sha256 == hashlib.sha256(data).hexdigest()


def test_on_read_ends_at_the_size() -> None:
    calls: list[tuple[int, int]] = []
    run(PLAIN, on_read=lambda done, size: calls.append((done, size)))
    assert calls[-1] == (len(PLAIN), MemoryFile(PLAIN).size)
