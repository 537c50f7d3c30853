"""What AWS would charge for an import, in US dollars."""

from __future__ import annotations

# US dollars, us-east-1, arm64, on demand.
PER_PROFILE_WRITE = 0.625e-6  # DynamoDB: one write per profile result
PER_TRANSITION = 25e-6  # Step Functions, standard
PER_GB_SECOND = 13.3334e-6  # Lambda
PER_PUT = 5e-6  # S3
TRANSITIONS_PER_BATCH = 30  # about eight status checks, and what is around them
GB_SECONDS_PER_BATCH = 60.0
GB_SECONDS_PER_SPLIT_BYTE = 2 / 60e6  # 2 GB of memory at 60 MB a second
OBJECTS_PER_BATCH = 10  # parts of the body, and the profile results
OBJECTS_PER_IMPORT = 6
