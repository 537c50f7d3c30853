"""Estimates of what AWS charges, in US dollars: for the import of a file, and for a stack by its use.

Prices are those of us-east-1, on demand and without free tiers, as of `PRICES_OF`. They are on pages such as
https://aws.amazon.com/dynamodb/pricing/on-demand/ and https://aws.amazon.com/step-functions/pricing/. Look
there before you rely on a figure. Taxes and support are not in them.
"""

from __future__ import annotations

import math
from types import MappingProxyType

PRICES_OF = "2025-01"  # after DynamoDB halved its prices
PRICES = MappingProxyType(
    {
        "DynamoDB: write of an item of up to 1 KB": 0.625e-6,
        "DynamoDB: GB and month": 0.25,
        "Step Functions: transition of a standard execution": 25e-6,
        "Lambda: GB-second on arm64": 13.3334e-6,
        "Lambda: call": 0.2e-6,
        "S3: PUT": 5e-6,
        "S3: GB and month": 0.023,
        "Data transfer to the internet: GB": 0.09,
        "CloudWatch: GB of logs": 0.50,
        "CloudWatch: alarm and month": 0.10,
        "CloudWatch: metric and month": 0.30,
        "CloudWatch: dashboard and month": 3.00,
        "Secrets Manager: secret and month": 0.40,
    }
)
(
    _WRITE,
    _TABLE_GB,
    _TRANSITION,
    _GB_SECOND,
    _CALL,
    _PUT,
    _S3_GB,
    _EGRESS_GB,
    _LOG_GB,
    _ALARM,
    _METRIC,
    _DASHBOARD,
    _SECRET,
) = PRICES.values()

_GB = 1e9
_DAYS_A_MONTH = 30
ALARMS, _METRICS, _SWEEPS_A_DAY = 10, 29, 24
_TRANSITIONS_PER_BATCH = 30  # about eight status checks, and what is around them
_CALLS_PER_BATCH = 12
_GB_SECONDS_PER_BATCH = 60.0
_GB_SECONDS_PER_SPLIT_BYTE = 2 / 60e6  # 2 GB of memory at 60 MB a second
_OBJECTS_PER_BATCH = 10  # parts of the body, and the profile results
_OBJECTS_PER_IMPORT = 6
_LOG_BYTES_PER_BATCH = 10_000
BYTES_PER_ROW, BYTES_PER_ENCODED_ROW = 100, 115
_BYTES_PER_RESULT = 12  # compressed, in profiles/*.csv.gz
_BYTES_PER_ITEM = 300  # of the Profiles table, its overhead of 100 included


def estimate_cost(
    size: int, batches: int, profiles: int, encoded: int, retention_days: int
) -> dict[str, float]:
    """Return the cost of a source file of `size` bytes, by what it is for, and the `total`.

    `encoded` are the bytes of all batches. Everything is kept for `retention_days`.
    """
    gb_seconds = batches * _GB_SECONDS_PER_BATCH + size * _GB_SECONDS_PER_SPLIT_BYTE
    months = retention_days / _DAYS_A_MONTH
    kept = (size + encoded + profiles * _BYTES_PER_RESULT) / _GB * months
    cost = {
        "profileResults": profiles * (_WRITE + _BYTES_PER_ITEM / _GB * _TABLE_GB * months),
        "stateMachine": batches * _TRANSITIONS_PER_BATCH * _TRANSITION,
        "functions": _GB_SECOND * gb_seconds + _CALL * batches * _CALLS_PER_BATCH,
        "storage": _PUT * (batches * _OBJECTS_PER_BATCH + _OBJECTS_PER_IMPORT) + kept * _S3_GB,
        "transfer": encoded / _GB * _EGRESS_GB,
        "logs": batches * _LOG_BYTES_PER_BATCH / _GB * _LOG_GB,
    }
    return {name: round(value, 4) for name, value in {**cost, "total": sum(cost.values())}.items()}


def estimate_month(profiles_a_day: int, retention_days: int = 30) -> dict[str, float]:
    """Return the cost of a stack for 30 days, by what it is for, with one file of so many profiles a day."""
    idle = (
        ALARMS * _ALARM
        + _METRICS * _METRIC
        + _DASHBOARD
        + _SECRET
        + _SWEEPS_A_DAY * _DAYS_A_MONTH * _GB_SECOND * 2
    )
    encoded = profiles_a_day * BYTES_PER_ENCODED_ROW
    day = estimate_cost(
        profiles_a_day * BYTES_PER_ROW,
        math.ceil(encoded / 50e6),
        profiles_a_day,
        encoded,
        retention_days,
    )
    month = {name: value * _DAYS_A_MONTH for name, value in day.items() if name != "total" and profiles_a_day}
    cost = {"idle": idle, **month}
    return {name: round(value, 2) for name, value in {**cost, "total": sum(cost.values())}.items()}
