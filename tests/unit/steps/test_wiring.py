"""A step is made from the environment: its settings, and an edge for each of its other fields."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from bulk_profiles.core.errors import SettingsError
from bulk_profiles.steps.check_status import CheckStatus
from bulk_profiles.steps.finish_import import FinishImport
from bulk_profiles.steps.split_file import SplitFile
from bulk_profiles.steps.sweep_imports import SweepImports
from bulk_profiles.steps.upload_batch import UploadBatch
from bulk_profiles.steps.wiring import connect
from tests.worlds import deployable

STEPS = {
    "split_file": SplitFile,
    "upload_batch": UploadBatch,
    "check_status": CheckStatus,
    "finish_import": FinishImport,
    "sweep_imports": SweepImports,
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.usefixtures("aws")
def test_connect_fills_every_field_of_each_step(name: str) -> None:
    step = connect(STEPS[name], deployable.environment(name))
    assert type(step) is STEPS[name]
    for field in dataclasses.fields(step):  # type: ignore[arg-type]  # each step is a dataclass
        assert getattr(step, field.name) is not None


@pytest.mark.usefixtures("aws")
def test_connect_gives_a_clock_that_tells_utc() -> None:
    step = connect(FinishImport, deployable.environment("finish_import"))
    assert step.clock().utcoffset() == timedelta(0)
    assert abs(step.clock() - datetime.now(UTC)) < timedelta(minutes=1)


def test_connect_names_what_the_environment_lacks() -> None:
    with pytest.raises(SettingsError, match="DATA_BUCKET is missing"):
        connect(FinishImport, {})
