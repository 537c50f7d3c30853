"""The files of rejects."""

from __future__ import annotations

from bulk_profiles.splitting.batches.cutter import Limits
from tests.worlds.splitting import run


def test_rejects_are_in_the_order_of_the_file() -> None:
    outcome = run(b"pcId,a\n1,%b\n,q\n2,%b\n" % (b"x" * 50, b"x" * 50), limits=Limits(max_batch_bytes=40))
    assert [reject[0] for reject in outcome.rejects] == ["2", "3", "4"]


def test_rejected_rows_once_corrected_can_be_split() -> None:
    first = run(b"thirdPartyId;a\n1;x\n;y\n")
    corrected = first.objects["rejected-rows.csv"].replace(b";y", b"2;y")
    assert run(corrected).received == [("2", "y")]


def test_column_named_like_a_formula_is_listed_as_a_text() -> None:
    outcome = run(b"pcId,=cmd()\n1,\xff\n")
    assert outcome.rejects == [["2", "'=cmd()", "invalid_utf8"]]
