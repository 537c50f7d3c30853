"""Derived names: of an import, of its objects in the Data bucket, of its feed. None is stored."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime

DROP_PREFIX = "drop/"
RESULTS_PREFIX = "results/"  # in the Drop bucket, too
DEFAULT_FEED = "default"
# The configuration of a feed is feeds/<name>.json, the limits of a client code are clients/<code>.json.
FEEDS, CLIENTS, CONFIGURATION_SUFFIX = "feeds/", "clients/", ".json"

# Below an import's folder.
MANIFEST = "manifest.json"
REJECTED_ROWS = "rejected-rows"  # and one of ROWS_SUFFIXES
FAILED_ROWS = "failed-rows"  # the same
ROWS_SUFFIXES = (".csv", ".jsonl")  # of the files of rows to mend
SUMMARY = "summary.json"
REPORT = "report.html"
BATCHES = "batches/"
FOLLOW_UPS = "follow-ups/"
# What was read back of a sample: counts, and ids where values differ.
VERIFICATION = "verification/verification.json"
DIFFERENCES = "verification/verification.csv"
SCRATCH = "scratch/"
CHECKPOINT = "scratch/checkpoint.json"

# Beside the files: markers of folders, checksums, and files that are still being written.
PASSED_OVER_SUFFIXES = (
    "_$folder$",
    ".crc",
    ".md5",
    ".sha1",
    ".sha256",
    ".sha512",
    ".tmp",
    ".part",
    ".filepart",
    ".partial",
    "._COPYING_",
    ".swp",
)

_SLUG_LENGTH = 40
_DIGEST_LENGTH = 12
_DOTS = frozenset({".", ".."})  # the names of folders themselves, as `find` prints them: ./customers.csv
FEED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def import_id(bucket: str, key: str, version_id: str) -> str:
    """Return the name of the import of one object version, 1 to 80 of `a-z0-9-`.

    Its Step Functions execution has the same name. `drop/crm/Été 2026.csv` becomes `ete-2026-csv-` and the
    first 12 hexadecimal digits of a SHA-256 of bucket, key and version.
    """
    name = key.rsplit("/", 1)[-1]
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:_SLUG_LENGTH].strip("-") or "file"
    digest = hashlib.sha256(f"{bucket}\n{key}\n{version_id}".encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{slug}-{digest}"


def passed_over(key: str) -> str:
    """Return why an object of the Drop bucket is no file that was dropped; an empty text for one that was.

    Hadoop, Spark and Hive write `_temporary/0/part-0000`, `_SUCCESS`, `.hive-staging/000000_0` and
    `.part-0000.crc` beside their files, and do not read what begins with `_` or `.`, in any folder. Programs
    that copy files give those under way a suffix: `.part`, `.filepart` (WinSCP), `.partial` (rclone),
    `._COPYING_` (hadoop fs -put). The reason never quotes the key.
    """
    names = key.split("/")
    if key.startswith(RESULTS_PREFIX):
        return "it is a result of an import"
    if not names[-1]:
        return "it is the marker of a folder"
    hidden = next((name for name in names if name.startswith(("_", ".")) and name not in _DOTS), "")
    if hidden:
        return f"a name in its path begins with {hidden[0]}"
    last = names[-1].lower()
    suffix = next((suffix for suffix in PASSED_OVER_SUFFIXES if last.endswith(suffix.lower())), "")
    return f"its name ends in {suffix}" if suffix else ""


def misplaced(key: str) -> str:
    """Return a sentence that says why a file cannot be imported from its place; empty where it can be."""
    if not key.startswith(DROP_PREFIX):
        return f"The file is not below {DROP_PREFIX}: drop it as {DROP_PREFIX}<feed>/<name>."
    if not FEED_NAME.fullmatch(feed_name(key)):
        return (
            f"The folder below {DROP_PREFIX} cannot be a feed: the name of a feed has at most 64 letters, "
            "digits, dots, hyphens and underscores, and begins with a letter or a digit."
        )
    return ""


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
    return f"{FOLLOW_UPS}{number:05d}-{attempt}.batch"


def body_name(number: int, attempt: int) -> str:
    """Return the name of the body of an attempt: of the batch, or of a follow-up."""
    return batch_name(number) if attempt == 1 else follow_up_name(number, attempt)


def profiles_name(number: int) -> str:
    """Return the name of a batch's profile results below the import's folder."""
    return f"profiles/{number:05d}.csv.gz"


def attempt_name(number: int, attempt: int) -> str:
    """Return the name of the profile results of an attempt that has a follow-up."""
    return f"{FOLLOW_UPS}{number:05d}-{attempt}.csv.gz"


def sample_name(execution: str) -> str:
    """Return the name of the sample of an execution: ids and values, while they are read back."""
    return f"verification/samples/{execution}.json"


def answer_name(number: int, attempt: int) -> str:
    """Return the name of what Target last said of the profiles of an attempt that it had not finished."""
    return f"answers/{number:05d}-{attempt}.json.gz"


def results_prefix(key: str, import_id: str, started_at: datetime) -> str:
    """Return the folder in the Drop bucket for the results of a dropped file's version.

    `drop/crm/customers.csv` has `results/crm/customers.csv/2026-11-27T013705Z-86a3bcf6935a/` and one more
    folder for each other version, in the order of time.
    """
    names = (feed_name(key), key.rsplit("/", 1)[-1])
    feed, file = ("_" if name in _DOTS else name for name in names)
    return f"{RESULTS_PREFIX}{feed}/{file}/{started_at:%Y-%m-%dT%H%M%SZ}-{import_id[-_DIGEST_LENGTH:]}/"


def feed_key(feed: str) -> str:
    """Return the key of a feed's configuration in the Data bucket, which need not exist."""
    return f"{FEEDS}{feed}{CONFIGURATION_SUFFIX}"


def client_key(client_code: str) -> str:
    """Return the key of a client code's own limits in the Data bucket, which need not exist."""
    return f"{CLIENTS}{client_code}{CONFIGURATION_SUFFIX}"
