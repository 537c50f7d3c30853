"""An estimate of what AWS charges for an import, in US dollars (us-east-1, arm64, on demand)."""

from __future__ import annotations

_PER_PROFILE_WRITE = 0.625e-6  # DynamoDB: one write for each profile result
_PER_TRANSITION = 25e-6  # Step Functions, standard
_PER_GB_SECOND = 13.3334e-6  # Lambda
_PER_PUT = 5e-6  # S3
_TRANSITIONS_PER_BATCH = 30  # about eight status checks, and what is around them
_GB_SECONDS_PER_BATCH = 60.0
_GB_SECONDS_PER_SPLIT_BYTE = 2 / 60e6  # 2 GB of memory at 60 MB a second
_OBJECTS_PER_BATCH = 10  # parts of the body, and the profile results
_OBJECTS_PER_IMPORT = 6


def estimate_cost(size: int, batches: int, profiles: int) -> dict[str, float]:
    """Return the cost of a source file of `size` bytes, by what it is for, and the `total`."""
    gb_seconds = batches * _GB_SECONDS_PER_BATCH + size * _GB_SECONDS_PER_SPLIT_BYTE
    cost = {
        "profileResults": profiles * _PER_PROFILE_WRITE,
        "stateMachine": batches * _TRANSITIONS_PER_BATCH * _PER_TRANSITION,
        "functions": _PER_GB_SECOND * gb_seconds,
        "storage": _PER_PUT * (batches * _OBJECTS_PER_BATCH + _OBJECTS_PER_IMPORT),
    }
    return {name: round(value, 4) for name, value in {**cost, "total": sum(cost.values())}.items()}
