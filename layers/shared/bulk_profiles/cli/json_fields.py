"""What `--json` prints, field by field: the text of docs/command-line.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_IMPORT: Mapping[str, str] = MappingProxyType(
    {
        "importId": "the import's name",
        "status": "`splitting`, `uploading`, `succeeded`, `partial`, `failed`, `rejected`; `waiting` where "
        "all that is left of it waits",
        "feed": "the folder below `drop/`",
        "clientCode": "Target's client code",
        "key": "the dropped object in the Drop bucket",
        "versionId": "its version",
        "startedAt": "when the import began, in UTC",
        "finishedAt": "when it was reported; empty before",
        "rows": "the profiles to be sent: the rows of all batches, those of one id being one",
        "rejected": "the rejected rows of the file; null as long as they are not counted",
        "profiles": "the profiles by status: `success`, `error`, `pending`, `unknown`, `notSent`",
        "batches": "the number of `all` batches, of those that are `settled`, and `byState`",
        "waiting": "for each reason to wait: `why`, the numbers of the `batches`, `until` (when the first of "
        "them looks again), `reason` in words",
        "submittedAt": "the earliest time by which all batches can be submitted, where rows of the day or "
        "the upload window decide it; else empty",
        "after": "the imports that were to go first because of some of the same ids",
        "overtakenBy": "the later import that has gone first: nothing more of this one is sent",
        "duplicateOf": "the first import of the same content",
        "verified": "what was read back from Target, in sentences",
        "reason": "why it ended as it did, or the last error",
    }
)
_PAUSE: Mapping[str, str] = MappingProxyType(
    {
        "scope": "`all`, `client:CODE`, `feed:NAME` or `import:IMPORT`",
        "since": "when it began",
        "until": "when it ends; empty: when somebody ends it",
        "by": "who paused",
        "why": "the reason",
    }
)
# By command: what is printed, and the fields of each object.
FIELDS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "plan": (
            "An object. Of a file that cannot be read it has `file`, `status` and `reason` alone.",
            {
                "file": "the file's name",
                "status": "what the import would end as, if Target takes every row",
                "reason": "why",
                "keyColumn": "`thirdPartyId` or `pcId`",
                "source": "`bytes` and `sha256` of the file",
                "rows": "`read`, `rejected`, `merged`, `skipped`, `sent`",
                "rejects": "rejected rows by code",
                "warnings": "warnings by code",
                "examples": "the first lines or columns of each code",
                "batches": "`number`, `rows`, `bytes`, `sha256` of each",
                "calls": "the least number of calls to Target",
                "isolation": "what it takes to find one failing row; empty: it would not be searched for",
                "days": "the days that the rows of a day need",
                "costUsd": "an estimate of what AWS charges, by what it is for",
            },
        ),
        "drop": (
            "An object; with `--watch`, on a line of its own, before the lines of `watch`.",
            {
                "importId": "the import's name",
                "bucket": "the Drop bucket",
                "key": "the object",
                "versionId": "its version",
            },
        ),
        "list": ("A list of these objects, the newest import first.", _IMPORT),
        "show": ("The object of `list`.", {}),
        "watch": ("The object of `list`, on a line for each change.", {}),
        "find": (
            "A list of these objects, the newest result first.",
            {
                "clientCode": "Target's client code",
                "keyColumn": "`thirdPartyId` or `pcId`",
                "importId": "the import",
                "batch": "the number of its batch",
                "status": "`success`, `error`, `pending`, `unknown` or `notSent`",
                "basis": "on whose word",
                "reason": "why, where it is no success",
                "attempt": "the body that the status is about: 1 is the batch, 2 its first follow-up",
                "checkedAt": "when the result was written",
            },
        ),
        "results": ("A list of the paths of the files.", {}),
        "pause": ("A list of the pauses, also of `resume`.", _PAUSE),
        "resume": ("The list of `pause`.", {}),
        "stop": (
            "An object.",
            {
                "importId": "the import",
                "givenUp": "whether it was given up",
                "says": "the same as a sentence",
            },
        ),
        "resend": (
            "An object. Where batches of the import did not come to an end, it has `importId`, `execution` "
            "and their numbers as `unsettled`.",
            {
                "importId": "the import",
                "profiles": "the profiles that are sent again, by what became of them",
                "batches": "for each batch: `batch`, `state`, `profiles`, `reason`, and `possiblyDuplicate` "
                "where Target may have some of its rows already",
                "heldBack": "by number of a batch, the later import because of which it is not sent",
                "execution": "the execution that sends them; empty: nothing was started",
            },
        ),
        "verify": (
            "An object.",
            {
                "importId": "the import",
                "sample": "how many profiles are read back",
                "execution": "the execution that does it",
            },
        ),
        "forget": (
            "An object.",
            {
                "imports": "for each import that has, or may have, the person: `importId`, `file`, `inFile`, "
                "the names of `results`, `rows` and `batches`, `underWay`, "
                "`unread` (why the file was not searched)",
                "profileItems": "items of the Profiles table",
                "erased": "versions of objects that were deleted",
                "forgotten": "whether anything was removed",
            },
        ),
        "probe": (
            "The object that is also written to `--out`; with `--list`, the questions.",
            {
                "client": "the client code",
                "endpoint": "where Target was asked",
                "at": "when",
                "prefix": "with which the ids begin",
                "calls": "the calls that were made",
                "conclusions": "the answer to each question, and what shows it",
                "settings": "the parameters of the template that follow from it",
            },
        ),
        "feeds check": (
            "A list of these objects.",
            {
                "feed": "the feed; in its place `client`, where it is the limits of a client code",
                "valid": "whether it can be used",
                "fault": "what is wrong",
            },
        ),
    }
)
