"""One look at a block tells what need not be looked at."""

from __future__ import annotations

import pytest

from bulk_profiles.splitting.rows.block_check import is_unreserved
from bulk_profiles.splitting.rows.encoding import UNRESERVED


@pytest.mark.parametrize("byte", range(256))
def test_knows_each_byte_that_needs_encoding(byte: int) -> None:
    sent_as_they_are = UNRESERVED.replace(b"~", b"") + b",\n"  # it need not know the tilde
    assert is_unreserved(b"abc,%c\n" % byte) == (byte in sent_as_they_are)
