"""Values as cells of plain rows, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.splitting.rows.plain import mark, unmark, without_invalid


@given(st.text())
def test_unmark_undoes_mark(value: str) -> None:
    assert unmark(mark(value.encode())).decode() == value


@given(st.binary())
def test_invalid_text_is_replaced_and_holds_no_mark(data: bytes) -> None:
    cleaned = without_invalid(data)
    assert not set(cleaned) & set(range(0xF8, 0x100))
    try:
        assert data.decode() == cleaned.decode()
    except UnicodeDecodeError:
        assert max(cleaned.decode("utf-8", "surrogatepass")) >= "\udc80"
        assert cleaned != data
