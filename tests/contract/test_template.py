"""Parameters, names and outputs of the template agree with the code."""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from typing import Any

import pytest

from bulk_profiles.accounting.split_verdict import DEFAULT_MAX_REJECTED_PERCENT
from bulk_profiles.budget.local_time import UploadWindow
from bulk_profiles.core import names
from bulk_profiles.core.feeds import SeparatorInValue
from bulk_profiles.core.models import ApiVersion, ProfileResultsPolicy
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.steps.settings import UnknownPolicy
from bulk_profiles.target.addresses import ENDPOINT
from docs.generate import client_schema, feed_schema
from tests.worlds.deployable import ROOT, parameters, template

EACH_PARAMETER = pytest.mark.parametrize("name", parameters())


def references(node: Any) -> set[str]:
    """Return all names that a piece of the template refers to."""
    if isinstance(node, list):
        return set[str]().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    names_ = references(list(node.values()))
    if "Ref" in node:
        names_.add(node["Ref"])
    if isinstance(node.get("Fn::Sub"), str):
        names_ |= set(re.findall(r"\$\{([\w:]+)", node["Fn::Sub"]))
    return names_


# --- parameters ---


def test_console_shows_every_parameter_in_one_group() -> None:
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert all(group["Label"]["default"] for group in groups)
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(parameters())


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
def test_console_has_a_host_in_every_partition(partition: str) -> None:
    assert template()["Mappings"]["Console"][partition]["Host"].startswith("console.")


@EACH_PARAMETER
def test_parameter_is_used(name: str) -> None:
    parts = [template()[part] for part in ("Conditions", "Globals", "Resources")]
    assert name in references(parts)


@EACH_PARAMETER
def test_parameter_has_a_description_and_bounds(name: str) -> None:
    parameter = parameters()[name]
    assert re.fullmatch(r"\S.*\.", parameter["Description"], re.DOTALL)
    if parameter["Type"] == "Number":
        assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"]
    elif "AllowedValues" in parameter:
        assert parameter["Default"] in parameter["AllowedValues"]
    else:
        assert parameter["ConstraintDescription"]
        assert "Default" not in parameter or allowed(name, parameter["Default"])


def test_only_client_code_has_no_default() -> None:
    assert [name for name in parameters() if "Default" not in parameters()[name]] == ["ClientCode"]


def test_batch_is_never_larger_than_target_takes() -> None:
    """Target takes 500,000 rows and less than 50 MB, and keeps the status of ten batches."""
    assert parameters()["MaxBatchRows"]["MaxValue"] == 500_000
    assert parameters()["MaxBatchBytes"]["MaxValue"] < 50_000_000
    assert parameters()["MaxInFlight"]["MaxValue"] <= 10
    sizes = (parameters()[name]["Default"] for name in ("MaxBatchRows", "MaxBatchBytes"))
    assert Limits(*sizes) == Limits()


def allowed(name: str, value: str) -> bool:
    return re.fullmatch(parameters()[name]["AllowedPattern"], value) is not None


def test_probe_takes_the_endpoints_that_a_stack_may_have() -> None:
    assert parameters()["TargetEndpoint"]["AllowedPattern"] == ENDPOINT.pattern


def test_plan_judges_by_the_limit_of_the_stack() -> None:
    assert parameters()["MaxRejectedPercent"]["Default"] == DEFAULT_MAX_REJECTED_PERCENT


def test_max_rejected_percent_has_the_bounds_of_the_feed() -> None:
    limit = parameters()["MaxRejectedPercent"]
    field = feed_schema()["properties"]["maxRejectedPercent"]
    assert (limit["MinValue"], limit["MaxValue"]) == (field["minimum"], field["maximum"])


def test_limits_of_a_client_code_are_the_parameters_of_the_budget_with_their_bounds() -> None:
    fields = client_schema()["properties"]
    budget = next(
        group["Parameters"]
        for group in template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        if group["Label"]["default"].startswith("Budget")
    )
    assert {name[0].lower() + name[1:] for name in budget} == set(fields)
    for name in budget:
        parameter, field = parameters()[name], fields[name[0].lower() + name[1:]]
        bounds = (parameter.get("MinValue"), parameter.get("MaxValue"))
        assert bounds == (field.get("minimum"), field.get("maximum"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ApiVersion", ApiVersion),
        ("UnknownPolicy", UnknownPolicy),
        ("ProfileResults", ProfileResultsPolicy),
        ("SeparatorInValue", SeparatorInValue),
    ],
)
def test_allowed_values_equal_the_words_of_the_code(name: str, words: type[StrEnum]) -> None:
    assert parameters()[name]["AllowedValues"] == [word.value for word in words]


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://{client}.tt.omtrdc.net",
        "https://target.example.com",
        "https://127.0.0.1:8443",
        "http://127.0.0.1:9000",
        "http://localhost:9000/",
        "http://[::1]:9000",
    ],
)
def test_target_endpoint_accepts_https_and_local_http(endpoint: str) -> None:
    assert allowed("TargetEndpoint", endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://{client}.tt.omtrdc.net",
        "http://192.0.2.1:9000",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "https://user@example.com",
        "https://{other}.example.com",
        "https://example.com/path",
        "ftp://example.com",
        "",
    ],
)
def test_target_endpoint_refuses_other_urls(endpoint: str) -> None:
    assert not allowed("TargetEndpoint", endpoint)


@pytest.mark.parametrize("window", ["20:00-06:00", "Mon-Fri 20:00-06:00", "Sat,Sun 00:00-24:00"])
def test_upload_window_accepts_what_the_code_parses(window: str) -> None:
    assert allowed("UploadWindow", window)
    assert UploadWindow.parse(window)


@pytest.mark.parametrize("window", ["20-06", "24:00-06:00", "Monday 20:00-06:00", "20:00-06:60", "always"])
def test_upload_window_refuses_other_texts(window: str) -> None:
    assert not allowed("UploadWindow", window)


def test_token_secret_arn_accepts_an_arn_or_nothing() -> None:
    assert allowed("TokenSecretArn", "")
    assert allowed(
        "TokenSecretArn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:target/demo-AbC123"
    )
    assert not allowed("TokenSecretArn", "target/demo")
    # IAM compares whole ARNs: without the six characters the secret could not be read.
    assert not allowed("TokenSecretArn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:target-token")


# --- names and outputs ---


def test_physical_names_contain_the_stack_name() -> None:
    kinds = "Bucket|Table|Function|Queue|Topic|StateMachine|Role|LogGroup|Alarm|Rule|Layer"
    named = [
        value
        for resource in template()["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if re.fullmatch(f"({kinds})?Name", key)
    ]
    assert all("AWS::StackName" in references(value) for value in named)


@pytest.mark.parametrize("name", template()["Outputs"])
def test_output_has_a_description(name: str) -> None:
    assert template()["Outputs"][name]["Description"].endswith(".")


def test_drop_uri_is_that_of_the_default_feed() -> None:
    address = template()["Outputs"]["DropUri"]["Value"]["Fn::Sub"]
    key = address.removeprefix("s3://${DropBucket}/") + "customers.csv"
    assert key.startswith(names.DROP_PREFIX)
    assert names.feed_name(key) == names.DEFAULT_FEED


# --- samconfig.toml ---


def test_samconfig_allows_roles_and_resolves_the_bucket() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    deploy = config["default"]["deploy"]["parameters"]
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["resolve_s3"] is True


def test_metadata_for_the_serverless_application_repository_is_that_of_the_package() -> None:
    """With limits of the repository: https://docs.aws.amazon.com/serverlessrepo/latest/devguide/."""
    metadata = template()["Metadata"]["AWS::ServerlessRepo::Application"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert metadata["Name"] == project["name"]
    assert metadata["SemanticVersion"] == project["version"]
    assert metadata["SpdxLicenseId"] == project["license"]
    assert metadata["Description"] == project["description"]
    assert len(metadata["Description"]) <= 256
    assert (ROOT / metadata["LicenseUrl"]).is_file()
    assert (ROOT / metadata["ReadmeUrl"]).is_file()
    assert len(metadata["Labels"]) <= 10


def test_workflows_use_targets_of_the_makefile_and_parameters_of_the_template() -> None:
    workflows = [path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml")]
    targets = {*re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    matrix = {
        word
        for text in workflows
        for found in re.findall(r"target: \[(.*)\]", text)
        for word in found.split(", ")
    }
    assert matrix
    assert {*matrix, *re.findall(r"run: make ([a-z-]+)", "".join(workflows))} <= targets
    given = {*re.findall(r"\"(\w+)=\$", "".join(workflows))}
    assert given
    assert given <= {*template()["Parameters"]}
