"""Derived names: of an import, of its objects in the Data bucket, of its feed. None is stored."""

from __future__ import annotations

import hashlib
import re
import unicodedata

DROP_PREFIX = "drop/"
DEFAULT_FEED = "default"

# Below an import's folder.
MANIFEST = "manifest.json"
REJECTS = "rejects.csv"
REJECTED_ROWS = "rejected-rows.csv"
SUMMARY = "summary.json"
REPORT = "report.html"
BATCHES = "batches/"
SCRATCH = "scratch/"
CHECKPOINT = "scratch/checkpoint.json"

_SLUG_LENGTH = 40


def import_id(bucket: str, key: str, version_id: str) -> str:
    """Return the name of the import of one object version, 1 to 80 of `a-z0-9-`.

    Its Step Functions execution has the same name. `drop/crm/Été 2026.csv` becomes `ete-2026-csv-` and the
    first 12 hexadecimal digits of a SHA-256 of bucket, key and version.
    """
    name = key.rsplit("/", 1)[-1]
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:_SLUG_LENGTH].strip("-") or "file"
    digest = hashlib.sha256(f"{bucket}\n{key}\n{version_id}".encode()).hexdigest()[:12]
    return f"{slug}-{digest}"


def is_dropped_file(key: str) -> bool:
    """Whether a key is that of a dropped file, and not of a folder's marker or of another object."""
    return key.startswith(DROP_PREFIX) and not key.endswith("/")


def feed_name(key: str) -> str:
    """Return the feed of a dropped object: the first folder below `drop/`, or `default` without a folder."""
    folder, slash, _ = key.removeprefix(DROP_PREFIX).partition("/")
    return folder if slash and folder else DEFAULT_FEED


def import_prefix(import_id: str) -> str:
    """Return the folder of an import in the Data bucket."""
    return f"imports/{import_id}/"


def object_key(import_id: str, name: str) -> str:
    """Return the key of an import's object, such as `manifest.json`, in the Data bucket."""
    return import_prefix(import_id) + name


def batch_name(number: int) -> str:
    """Return the name of a batch's body below the import's folder."""
    return f"{BATCHES}{number:05d}.batch"


def follow_up_name(number: int, attempt: int) -> str:
    """Return the name of a follow-up: a body of a batch's failed profiles, as attempt 2 or later."""
    return f"follow-ups/{number:05d}-{attempt}.batch"


def profiles_name(number: int) -> str:
    """Return the name of a batch's profile results below the import's folder."""
    return f"profiles/{number:05d}.csv.gz"


def attempt_name(number: int, attempt: int) -> str:
    """Return the name of the profile results of an attempt that has a follow-up."""
    return f"follow-ups/{number:05d}-{attempt}.csv.gz"


def feed_key(feed: str) -> str:
    """Return the key of a feed's configuration in the Data bucket, which need not exist."""
    return f"feeds/{feed}.json"
