"""The report in a real browser: on a phone, in the dark, in print, and with hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_profiles.accounting.report import render_report
from tests.worlds.browser import Page, browser, installed
from tests.worlds.summaries import summary

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not installed(), reason="NO BROWSER: install Debian's package chromium to run this"),
]

PHONE, DESKTOP = 390, 1200  # pixels
HOSTILE = "<script>document.title = 'run'</script><img src=http://127.0.0.1:9/x onerror=document.title='run'>"
LONG = "a-name-without-any-blank-" * 9


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def write(folder: Path, name: str, batches: int = 10) -> Path:
    """Write a report with everything unfolded."""
    file = folder / "report.html"
    unfolded = render_report(summary(name, batches)).replace("<details>", "<details open>")
    file.write_text(unfolded, "utf-8")
    return file


@pytest.mark.parametrize("name", [HOSTILE, LONG], ids=["hostile", "long"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_page_asks_for_nothing_and_is_no_wider_than_its_window(
    page: Page, tmp_path: Path, name: str, width: int
) -> None:
    file = write(tmp_path, name)
    page.show(file, width=width)
    assert page.requests() == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    right = "Math.max(...[...document.querySelectorAll('*')].map(e => e.getBoundingClientRect().right))"
    assert page.evaluate(right) <= width


def test_hostile_names_are_text(page: Page, tmp_path: Path) -> None:
    page.show(write(tmp_path, HOSTILE), width=DESKTOP)
    assert page.evaluate("document.querySelectorAll('script, img').length") == 0
    assert page.evaluate("document.title").startswith("customers-csv-")
    assert HOSTILE in page.evaluate("document.body.innerText")


def test_page_is_dark_where_that_is_wanted(page: Page, tmp_path: Path) -> None:
    file = write(tmp_path, "customers.csv")
    colors = []
    for dark in (False, True):
        page.show(file, width=DESKTOP, dark=dark)
        colors.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colors == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


def test_largest_import_prints_on_a_few_sheets(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_report(summary(LONG, 10_000)), "utf-8")
    page.show(file, width=DESKTOP)
    assert 0 < page.pdf_pages() <= 4
