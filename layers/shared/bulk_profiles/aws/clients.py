"""Clients of this account and region, as the function's environment names them."""

from __future__ import annotations

import functools
from typing import Any

import boto3
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError

_boto3: Any = boto3  # whose types know each service by a literal


def client(service: str) -> Any:
    """Return a low-level client of a service."""
    return _boto3.client(service)


def credentials() -> ReadOnlyCredentials:
    """Return the credentials as they are now: those of a role are renewed from time to time."""
    provider = _provider()
    if provider is None:
        raise NoCredentialsError
    return provider.get_frozen_credentials()


@functools.cache
def _provider() -> Credentials | None:
    found: Credentials | None = _boto3.Session().get_credentials()
    return found


def table(name: str) -> Any:
    """Return a DynamoDB table whose items are plain Python values."""
    return _boto3.resource("dynamodb").Table(name)
