"""Names: of an import, of its objects in the Data bucket, of its feed. All derived, none stored."""

from __future__ import annotations

import hashlib
import re
import unicodedata

DROP_PREFIX = "drop/"
DEFAULT_FEED = "default"
_SLUG_LENGTH = 40


def import_id(bucket: str, key: str, version_id: str) -> str:
    """Name the import of one object version; also its Step Functions execution (1 to 80 of `a-z0-9-`)."""
    name = key.rsplit("/", 1)[-1]
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:_SLUG_LENGTH].strip("-") or "file"
    digest = hashlib.sha256(f"{bucket}\n{key}\n{version_id}".encode()).hexdigest()[:12]
    return f"{slug}-{digest}"


def is_dropped_file(key: str) -> bool:
    """Whether a key is a file that somebody dropped: not a folder's marker, not anything of our own."""
    return key.startswith(DROP_PREFIX) and not key.endswith("/")


def feed_name(key: str) -> str:
    """Give the feed of a dropped object: the first folder below `drop/`, or `default` where there is none."""
    folder, slash, _ = key.removeprefix(DROP_PREFIX).partition("/")
    return folder if slash and folder else DEFAULT_FEED


def import_prefix(import_id: str) -> str:
    """Give the folder of an import in the Data bucket."""
    return f"imports/{import_id}/"


def object_key(import_id: str, name: str) -> str:
    """Give the key of one of an import's objects, e.g. `manifest.json`."""
    return import_prefix(import_id) + name


def batch_name(number: int) -> str:
    """Give the name of a batch's body below the import's folder."""
    return f"{BATCHES}{number:05d}.batch"


def follow_up_name(number: int, attempt: int) -> str:
    """Give the name of the body that sends a batch's failed profiles again; the batch was attempt 1."""
    return f"follow-ups/{number:05d}-{attempt}.batch"


def profiles_name(number: int) -> str:
    """Give the name of a batch's profile results below the import's folder."""
    return f"profiles/{number:05d}.csv.gz"


def attempt_name(number: int, attempt: int) -> str:
    """Give the name of the results of an attempt that was followed by another."""
    return f"follow-ups/{number:05d}-{attempt}.csv.gz"


MANIFEST = "manifest.json"
REJECTS = "rejects.csv"
REJECTED_ROWS = "rejected-rows.csv"
SUMMARY = "summary.json"
REPORT = "report.html"
BATCHES = "batches/"
SCRATCH = "scratch/"
CHECKPOINT = "scratch/checkpoint.json"


def feed_key(feed: str) -> str:
    """Give the key of a feed's configuration in the Data bucket; there need not be such an object."""
    return f"feeds/{feed}.json"
