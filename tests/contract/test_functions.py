"""Every function has the code, the settings, the time and the memory that it needs."""

from __future__ import annotations

import ast
import dataclasses
import re
from importlib.metadata import requires
from typing import Any

import pytest
from packaging.requirements import Requirement

from bulk_profiles.core.models import ApiVersion
from bulk_profiles.steps.settings import load
from bulk_profiles.steps.upload_batch import _GRACE
from tests.worlds.deployable import (
    FUNCTIONS,
    ROOT,
    SETTINGS,
    Json,
    common_variables,
    environment,
    function,
    function_name,
    parameters,
    resources,
    template,
    variables,
)

EACH_FUNCTION = pytest.mark.parametrize("folder", FUNCTIONS)
EACH_LAYER = pytest.mark.parametrize("layer", resources("Serverless::LayerVersion"))
LONGEST = 900  # seconds that Lambda lets a function run
MEMORY_OF_A_NEW_ACCOUNT = 3008  # MB that a function may have before AWS is asked for more
MEMORY_OF_A_PROCESSOR = 1769  # MB
# What a variable names where it is not the parameter or the resource of the same name.
NAMED_OTHERWISE = {
    "STATE_MACHINE_ARN": "ImportProfiles",
    "TOPIC_ARN": "ImportsTopic",
    "STACK_NAME": "AWS::StackName",
}


def common() -> Json:
    """Return the properties that every function has."""
    properties: Json = template()["Globals"]["Function"]
    return properties


# --- code ---


def test_every_function_has_a_folder_and_settings() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert folders == set(FUNCTIONS)
    assert set(resources("Serverless::Function")) == {function_name(folder) for folder in FUNCTIONS}


@EACH_FUNCTION
def test_function_code_is_its_folder(folder: str) -> None:
    assert function(folder)["CodeUri"] == f"functions/{folder}"


@EACH_FUNCTION
def test_function_handler_is_in_its_folder(folder: str) -> None:
    module, _, name = common()["Handler"].partition(".")
    tree = ast.parse((ROOT / "functions" / folder / f"{module}.py").read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_functions_run_on_the_python_that_they_are_tested_with() -> None:
    assert common()["Runtime"] == "python" + (ROOT / ".python-version").read_text().strip()


@EACH_LAYER
def test_layer_is_built_for_the_functions(layer: str) -> None:
    """With its requirements, for the functions' Python and their processor."""
    properties = resources("Serverless::LayerVersion")[layer]
    build = template()["Resources"][layer]["Metadata"]
    assert build["BuildMethod"] == common()["Runtime"]
    assert properties["CompatibleRuntimes"] == [common()["Runtime"]]
    assert [build["BuildArchitecture"]] == properties["CompatibleArchitectures"] == common()["Architectures"]
    assert (ROOT / properties["ContentUri"] / "requirements.txt").exists()


def test_every_function_has_the_package_and_those_that_read_files_the_readers() -> None:
    assert common()["Layers"] == [{"Ref": "SharedLayer"}]
    own = {folder: function(folder)["Layers"] for folder in FUNCTIONS if "Layers" in function(folder)}
    readers = [{"Ref": "SplittingLayer"}]
    # resend_import compares ids with those of other imports.
    assert own == dict.fromkeys(("split_file", "resend_import", "finish_import"), readers)
    layers = resources("Serverless::LayerVersion")
    assert layers["SharedLayer"]["ContentUri"] == "layers/shared"
    assert layers["SplittingLayer"]["ContentUri"] == "layers/splitting"


def test_layer_brings_no_urllib3_that_the_boto3_of_the_runtime_refuses() -> None:
    """A layer precedes the runtime on the path, so that its botocore imports the urllib3 of requests."""
    pins = (ROOT / "layers/shared/requirements.txt").read_text()
    version = re.search(r"^urllib3==(\S+)", pins, re.MULTILINE)
    [allowed] = [Requirement(each) for each in requires("botocore") or () if each.startswith("urllib3")]
    assert version
    assert version[1] in allowed.specifier


# --- settings ---


@EACH_FUNCTION
def test_function_environment_equals_its_settings(folder: str) -> None:
    read = {field.name.upper() for field in dataclasses.fields(SETTINGS[folder])}
    assert set(variables(folder)) == read


@EACH_FUNCTION
def test_function_variable_is_what_it_is_named_after(folder: str) -> None:
    """`MAX_BATCH_ROWS` is the parameter MaxBatchRows, `DATA_BUCKET` the bucket DataBucket."""
    for name, value in variables(folder).items():
        if name == "CONSOLE_URL":
            address, hosts = value["Fn::Sub"]
            assert address == "https://${AWS::Region}.${Host}"
            assert hosts == {"Host": {"Fn::FindInMap": ["Console", {"Ref": "AWS::Partition"}, "Host"]}}
            continue
        assert value == {"Ref": NAMED_OTHERWISE.get(name, name.title().replace("_", ""))}


@EACH_FUNCTION
def test_function_settings_load_from_the_defaults(folder: str) -> None:
    settings: Any = load(SETTINGS[folder], environment(folder))
    assert getattr(settings, "client_code", "demo") == "demo"
    assert getattr(settings, "api_version", ApiVersion.V2) is ApiVersion.V2


def test_functions_log_no_event_and_name_their_stack() -> None:
    """An event may hold what is personal; two stacks of an account count apart."""
    assert common_variables()["POWERTOOLS_LOGGER_LOG_EVENT"] == "false"
    assert common_variables()["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}
    assert common_variables()["LOG_LEVEL"] == {"Ref": "LogLevel"}


@EACH_FUNCTION
def test_function_log_has_a_group_of_its_own(folder: str) -> None:
    group = function(folder)["LoggingConfig"]["LogGroup"]["Ref"]
    assert group == function_name(folder).replace("Function", "LogGroup")
    assert group in resources("Logs::LogGroup")


def test_import_can_be_traced_through_all_functions() -> None:
    [machine] = resources("Serverless::StateMachine").values()
    assert common()["Tracing"] == "Active"
    assert machine["Tracing"] == {"Enabled": True}


# --- time and memory ---


def test_submission_ends_before_its_function_does() -> None:
    """Whatever UploadTimeoutSeconds is. A batch in state `sending` is taken over after the grace."""
    longest = parameters()["UploadTimeoutSeconds"]["MaxValue"] + _GRACE.total_seconds()
    assert longest + 30 < function("upload_batch")["Timeout"] <= LONGEST


@pytest.mark.parametrize("folder", ["split_file", "check_status", "sweep_imports"])
def test_function_whose_work_grows_has_the_longest_timeout(folder: str) -> None:
    assert function(folder)["Timeout"] == LONGEST


def test_finish_import_has_minutes_for_ten_thousand_batches() -> None:
    assert 300 <= function("finish_import")["Timeout"] <= LONGEST


def test_split_file_has_more_than_one_processor() -> None:
    """As much as a new account may have, so that its helper process runs beside it."""
    assert MEMORY_OF_A_PROCESSOR < function("split_file")["MemorySize"] <= MEMORY_OF_A_NEW_ACCOUNT


@EACH_FUNCTION
def test_function_has_memory_that_a_new_account_may_have(folder: str) -> None:
    assert 512 <= function(folder)["MemorySize"] <= MEMORY_OF_A_NEW_ACCOUNT


def test_split_file_has_the_largest_scratch_space() -> None:
    """Rows of repeated ids and Parquet files lie there: 10,240 MB is the most that Lambda gives."""
    assert function("split_file")["EphemeralStorage"] == {"Size": 10_240}


@EACH_FUNCTION
def test_function_is_limited_by_nothing_but_the_account(folder: str) -> None:
    """How many batches run at once is a matter of the state machine and of the budget."""
    assert "ReservedConcurrentExecutions" not in function(folder) | common()
