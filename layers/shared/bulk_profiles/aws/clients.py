"""Clients of this account and region, as the function's environment names them."""

from __future__ import annotations

from typing import Any

import boto3

_boto3: Any = boto3  # whose types know each service by a literal


def client(service: str) -> Any:
    """Return a low-level client of a service."""
    return _boto3.client(service)


def table(name: str) -> Any:
    """Return a DynamoDB table whose items are plain Python values."""
    return _boto3.resource("dynamodb").Table(name)
