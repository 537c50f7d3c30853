"""Target's token: read, renewed, and never shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import traceback
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.core.errors import TokenError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@pytest.fixture
def secrets() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield boto3.client("secretsmanager")


@pytest.fixture
def name() -> str:
    """A secret that no other test has left in the cache."""
    return f"target-token-{uuid.uuid4()}"


def test_tokens_without_a_secret_are_none() -> None:
    assert Tokens("").get("demo") is None
    assert Tokens("").renew("demo") is None


@pytest.mark.parametrize(
    "secret",
    [
        "abc.DEF-1",
        " abc.DEF-1\n",
        json.dumps({"demo": "abc.DEF-1", "other": "x"}),
        '"abc.DEF-1"',
        "Bearer abc.DEF-1",
        "bearer  abc.DEF-1",
        json.dumps({"demo": "Bearer abc.DEF-1"}),
    ],
)
def test_get_reads_one_token_or_one_for_each_client(
    secrets: SecretsManagerClient, name: str, secret: str
) -> None:
    secrets.create_secret(Name=name, SecretString=secret)
    assert Tokens(name).get("demo") == "abc.DEF-1"


@pytest.mark.fault(41, "the token is renewed")
def test_get_returns_the_cached_token_until_renewed(secrets: SecretsManagerClient, name: str) -> None:
    secrets.create_secret(Name=name, SecretString="old")
    tokens = Tokens(name)
    assert tokens.get("demo") == "old"
    secrets.put_secret_value(SecretId=name, SecretString="new")
    assert tokens.get("demo") == "old"
    assert tokens.renew("demo") == "new"
    assert tokens.get("demo") == "new"
    assert Tokens(name).get("demo") == "new"


def test_get_reads_the_secret_again_after_a_quarter_of_an_hour(
    secrets: SecretsManagerClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets Manager counts every read; a token that was rotated is found without a refusal of Target."""
    seconds = 0
    real = datetime.now()  # noqa: DTZ005  # as Powertools' cache tells the time

    class Told(datetime):
        @classmethod
        def now(cls, _tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # of the same kind
            return real + timedelta(seconds=seconds)

    monkeypatch.setattr("aws_lambda_powertools.utilities.parameters.base.datetime", Told)
    secrets.create_secret(Name=name, SecretString="old")
    assert Tokens(name).get("demo") == "old"
    secrets.put_secret_value(SecretId=name, SecretString="new")
    seconds = 899
    assert Tokens(name).get("demo") == "old"
    seconds = 901
    assert Tokens(name).get("demo") == "new"


@pytest.mark.parametrize(
    "secret",
    [
        "two words-hidden",
        '["hidden"]',
        "token=hidden",
        "'hidden'",
        '"hidden',
        "hidden Bearer hidden",
        "<hidden>",
        "hidden\nX-Header: y",
        "hid\x00den",
        "hiddén",
        "hidden" * 2000,
        "{hidden",
        '{"demo": {"hidden": 1}}',
        '{"other": "hidden"}',
        '{"demo": ""}',
        '{"demo": "hidden hidden"}',
    ],
)
def test_get_of_an_invalid_token_is_refused_and_not_shown(
    secrets: SecretsManagerClient, name: str, secret: str
) -> None:
    secrets.create_secret(Name=name, SecretString=secret)
    tokens = Tokens(name)
    form = 'store the token alone, or JSON by client code, {"demo": "<token>"}.'
    with pytest.raises(
        TokenError, match=re.escape(f"no token for client demo that can be sent: {form}")
    ) as caught:
        tokens.get("demo")
    shown = "".join(traceback.format_exception(caught.value)) + repr(tokens) + repr(vars(tokens))
    assert "hid" not in shown


def test_get_of_a_binary_secret_is_refused(secrets: SecretsManagerClient, name: str) -> None:
    secrets.create_secret(Name=name, SecretBinary=b"abc")
    with pytest.raises(TokenError, match="binary"):
        Tokens(name).get("demo")


@pytest.mark.fault(56, "Secrets Manager refuses")
def test_get_of_a_missing_secret_is_a_token_error(secrets: SecretsManagerClient, name: str) -> None:
    assert secrets.list_secrets()["SecretList"] == []
    with pytest.raises(TokenError, match="Secrets Manager did not give"):
        Tokens(name).get("demo")


def test_tokens_without_a_secret_import_no_powertools() -> None:
    code = (
        "import sys; from bulk_profiles.target import calls; from bulk_profiles.aws.secrets import Tokens;"
        "Tokens('').get('demo');"
        "print('aws_lambda_powertools' in sys.modules, 'boto3' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
