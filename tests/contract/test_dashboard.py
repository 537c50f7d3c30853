"""The dashboard shows metrics that there are, of every function, and fits CloudWatch's grid."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from bulk_profiles.accounting.summary import reject
from bulk_profiles.core.models import ApiVersion, ImportStatus, Source
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.steps.sweep_imports import SweepResult
from tests.worlds.deployable import Json, resources

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ENTRY = ImportEntry(
    "a-1", ImportStatus.SPLITTING, Source("b", "drop/a.csv", "v"), "a", "demo", ApiVersion.V2, NOW
)
# What the handlers count beside the steps, and what AWS counts, by namespace.
OF_HANDLERS = {"BatchesWithoutToken"}
OF_AWS = {
    "AWS/Lambda": {"Errors", "Throttles"},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
    "AWS/States": {"ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsAborted"},
}
COLUMNS = 24  # of CloudWatch's grid


def body() -> Json:
    [dashboard] = resources("CloudWatch::Dashboard").values()
    parsed: Json = json.loads(dashboard["DashboardBody"]["Fn::Sub"])
    return parsed


def metrics() -> list[tuple[str, str, str]]:
    """Return namespace, name and the value of the dimension of every metric, its dots resolved."""
    found = []
    for widget in body()["widgets"]:
        above: list[str] = []
        for line in widget["properties"].get("metrics", ()):
            texts = [text for text in line if isinstance(text, str)]
            above = [old if text == "." else text for text, old in zip(texts, above or texts, strict=True)]
            found.append((above[0], above[1], above[3]))
    return found


def test_every_metric_of_the_dashboard_is_counted_by_somebody() -> None:
    ours = {*reject(ENTRY, "", NOW).metrics(), *SweepResult().metrics(), *OF_HANDLERS}
    for namespace, name, _ in metrics():
        assert name in (ours if namespace == "BulkProfiles" else OF_AWS[namespace])


def test_dashboard_shows_what_became_of_imports_rows_and_profiles() -> None:
    shown = {name for namespace, name, _ in metrics() if namespace == "BulkProfiles"}
    counted = {*reject(ENTRY, "", NOW).metrics()}
    assert {name for name in counted if name.startswith(("Imports", "Profiles"))} <= shown
    assert "UnaccountedRows" in shown


def test_dashboard_shows_the_errors_of_every_function() -> None:
    shown = {value for _, name, value in metrics() if name == "Errors"}
    assert shown == {f"${{{name}}}" for name in resources("Serverless::Function")}


def test_widgets_fit_the_grid_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in body()["widgets"]:
        assert widget["x"] + widget["width"] <= COLUMNS
        cells = {
            (widget["x"] + column, widget["y"] + row)
            for column in range(widget["width"])
            for row in range(widget["height"])
        }
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize("name", ["DeadLetterQueue", "ImportProfiles", "SplitFileFunction"])
def test_dashboard_refers_to_resources_by_name(name: str) -> None:
    [dashboard] = resources("CloudWatch::Dashboard").values()
    assert re.search(rf"\$\{{{name}[.}}]", dashboard["DashboardBody"]["Fn::Sub"])
