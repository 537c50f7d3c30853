"""A function's environment: read once, held to what it must be, its values kept to itself."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import pytest

from bulk_profiles.core.errors import SettingsError
from bulk_profiles.steps.settings import (
    CheckStatusSettings,
    FinishImportSettings,
    SplitFileSettings,
    UnknownPolicy,
    UploadBatchSettings,
    load,
)
from tests.worlds.deployable import environment

FINISH = {"DATA_BUCKET": "data", "IMPORTS_TABLE": "imports", "CLIENT_CODE": "demo", "RETENTION_DAYS": "30"}


@dataclass(frozen=True, slots=True)
class Kinds:
    """A setting of every kind."""

    a_word: UnknownPolicy
    a_count: int
    a_factor: float
    a_name: str
    another_name: str = "none"


SOUND = {"A_WORD": "hold", "A_COUNT": "3", "A_FACTOR": "1.5", "A_NAME": "x"}


def test_a_variable_is_its_fields_name_in_capitals_and_has_its_fields_type() -> None:
    assert load(Kinds, SOUND) == Kinds(UnknownPolicy.HOLD, 3, 1.5, "x")


def test_a_variable_with_a_default_may_be_missing_or_empty() -> None:
    assert load(Kinds, SOUND | {"ANOTHER_NAME": ""}).another_name == "none"
    assert load(Kinds, SOUND | {"ANOTHER_NAME": "y"}).another_name == "y"


def test_what_is_not_asked_for_is_not_looked_at() -> None:
    assert load(FinishImportSettings, FINISH | {"AWS_SECRET_ACCESS_KEY": "test"}).client_code == "demo"


@pytest.mark.parametrize(
    "settings", [SplitFileSettings, UploadBatchSettings, CheckStatusSettings, FinishImportSettings]
)
def test_an_empty_environment_is_named_fault_by_fault(settings: type) -> None:
    with pytest.raises(SettingsError) as caught:
        load(settings, {})
    for variable in ("DATA_BUCKET", "IMPORTS_TABLE", "CLIENT_CODE", "RETENTION_DAYS"):
        assert f"{variable} is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("A_WORD", "perhaps", "A_WORD must be one of resend, hold"),
        ("A_WORD", "HOLD", "A_WORD must be one of resend, hold"),
        ("A_COUNT", "1.5", "A_COUNT must be a whole number"),
        ("A_COUNT", "9" * 5_000, "A_COUNT must be a whole number"),
        ("A_FACTOR", "much", "A_FACTOR must be a number"),
        ("A_FACTOR", "nan", "A_FACTOR must be a number"),
        ("A_FACTOR", "-inf", "A_FACTOR must be a number"),
        ("A_NAME", "", "A_NAME is missing"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(variable: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=f": {sentence}.$"):
        load(Kinds, SOUND | {variable: value})


def test_all_faults_are_named_at_once_and_no_value_is_told() -> None:
    secret = "canary-5f1d"
    environment = {"A_WORD": secret, "A_COUNT": secret, "A_FACTOR": secret}
    with pytest.raises(SettingsError) as caught:
        load(Kinds, environment)
    told = "".join(traceback.format_exception(caught.value))
    assert secret not in told
    assert [name for name in (*SOUND, "ANOTHER_NAME") if name in str(caught.value)] == list(SOUND)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIME_ZONE", "Europe/Pariss"),
        ("UPLOAD_WINDOW", "22:00-22:00"),
        ("UPLOAD_WINDOW", "Mon-Fry 20:00-06:00"),
    ],
)
@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        (SplitFileSettings, "split_file"),
        (UploadBatchSettings, "upload_batch"),
        (CheckStatusSettings, "check_status"),
    ],
)
def test_a_time_that_nobody_can_read_stops_the_function_before_an_import_begins(
    settings: type, folder: str, variable: str, value: str
) -> None:
    """The template cannot hold it: every batch of the import would fail."""
    sound = environment(folder)
    load(settings, sound)
    with pytest.raises(SettingsError, match=r"time zone|upload window"):
        load(settings, sound | {variable: value})
