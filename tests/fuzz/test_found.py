"""What `make fuzz` has found, so that it stays mended."""

from __future__ import annotations

from tests.worlds.splitting import run


def test_a_name_in_json_that_no_text_can_hold_rejects_its_row() -> None:
    rows = [
        b'{"thirdPartyId": "u1", "name": "Ada"}',
        b'{"thirdPartyId": "u2", "na\xff\xffme": "Grace"}',
        b'{"thirdPartyId": "u3", "\\ud800": "Zo"}',
        b'{"thirdPartyId": "u4", "city": "Bern"}',
    ]
    outcome = run(b"\n".join(rows))
    assert outcome.received == [("u1", "Ada", ""), ("u4", "", "Bern")]
    assert outcome.rejects == [["2", "", "invalid_utf8"], ["3", "", "invalid_utf8"]]
