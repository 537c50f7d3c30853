"""A dialect that cannot be used ends a run before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import LocalRunError
from local.run import check_dialect


@pytest.mark.parametrize(
    ("content", "target", "words"),
    [
        (b"status 1\ngeneratoin 3", "", "line 2: there is no key `generatoin`; is it `generation`?"),
        (b"\xff", "", "cannot be read"),
        (None, "", "cannot be read"),
        (b"status 1", "http://127.0.0.1:9000", "leave TARGET out"),
    ],
)
def test_dialect_that_cannot_be_used_is_told(
    tmp_path: Path, content: bytes | None, target: str, words: str
) -> None:
    dialect = tmp_path / "dialect.txt"
    if content is not None:
        dialect.write_bytes(content)
    with pytest.raises(LocalRunError) as raised:
        check_dialect(dialect, target)
    assert words in str(raised.value)


def test_dialect_of_the_example_can_be_used() -> None:
    check_dialect(Path(__file__).parents[3] / "simulator/dialect.txt", "")
