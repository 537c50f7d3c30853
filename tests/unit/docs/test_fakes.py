"""docs/fakes.md names every fake, and no test that does not exist."""

from __future__ import annotations

import re

import pytest

from tests.worlds.deployable import ROOT

PAGE = (ROOT / "docs/fakes.md").read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|simulator)/[a-z_/.]*)`", PAGE))))
def test_path_that_the_page_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("module", sorted(path.name for path in (ROOT / "tests/worlds/aws").glob("*.py")))
def test_fake_is_on_the_page_and_has_tests(module: str) -> None:
    if module == "service.py":  # what the fakes share
        return
    assert module in PAGE
    assert (ROOT / "tests/unit/worlds" / f"test_{module}").exists()


@pytest.mark.parametrize("test", sorted(set(re.findall(r"`(test_[a-z_]+)`", PAGE))))
def test_test_that_the_page_names_exists(test: str) -> None:
    assert any(f"def {test}(" in path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
