"""What a deployed version leaves behind: the state of imports under way, recorded once for each version."""

from __future__ import annotations

import base64
import itertools
import json
import zlib
from decimal import Decimal
from typing import Any

import boto3

from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.splitting.split import split

from .deployment import DATA_BUCKET, IMPORTS_TABLE, Deployment
from .splitting import MemoryFile, MemoryFolder

type Json = dict[str, Any]

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n,Nobody\nu3,Zoe\nu4,Hedy\nu1,Ada L\n"
FEED: Json = {
    "clientCode": "demo",
    "shortRows": "fill",
    "nullValues": ["NULL"],
    "maxRejectedPercent": 50,
    "mapping": {"rename": {"name": "firstName"}, "constants": {"source": "crm"}},
}
BLOCKS_OF_A_SLICE = 2
LARGE_FILE = b"thirdPartyId,name\n" + b"".join(b"u%d,%s\n" % (n % 900, b"x" * 900) for n in range(1_500))
LIMITS = Limits(max_batch_rows=400)


def record(deployment: Deployment) -> Json:
    """Return the state of an import of which one batch is settled, and of a split that is not at its end."""
    deployment.storage.write_json("feeds/default.json", FEED)
    imported = deployment.split(deployment.drop(FILE)).import_id
    for _ in deployment.walk(imported, 1):
        pass
    table = boto3.resource("dynamodb").Table(IMPORTS_TABLE)
    batch_id = deployment.ledger.get_batch(imported, 1).batch_id
    objects = {f"imports/{imported}/{name}": body for name, body in deployment.objects(imported).items()}
    return {
        "importId": imported,
        # A simulator that is started later would give the same id to another batch.
        "items": [_plain(item, batch_id) for item in table.scan()["Items"]],
        "objects": {key: text_of(body) for key, body in objects.items()},
        "split": _split_under_way(),
    }


def restore(state: Json, deployment: Deployment) -> str:
    """Put a recorded state into an empty deployment, and return the import's id."""
    table = boto3.resource("dynamodb").Table(IMPORTS_TABLE)
    for item in state["items"]:
        table.put_item(Item=json.loads(json.dumps(item), parse_float=Decimal))
    for key, text in state["objects"].items():
        deployment.s3.put_object(Bucket=DATA_BUCKET, Key=key, Body=body_of(text))
    return str(state["importId"])


def continue_split(state: Json) -> MemoryFolder:
    """Go on with the recorded split to its end, and return what it wrote."""
    recorded = state["split"]
    output, scratch = MemoryFolder(), MemoryFolder()
    for folder, objects in ((output, recorded["output"]), (scratch, recorded["scratch"])):
        folder.objects.update({name: body_of(text) for name, text in objects.items()})
    split(
        MemoryFile(LARGE_FILE),
        Feed(),
        LIMITS,
        output,
        scratch=scratch,
        checkpoint=recorded["checkpoint"],
    )
    return output


def _split_under_way() -> Json:
    output, scratch, checkpoint = MemoryFolder(), MemoryFolder(), None
    for _ in range(2):
        looks = itertools.count()
        try:
            split(
                MemoryFile(LARGE_FILE),
                Feed(),
                LIMITS,
                output,
                scratch=scratch,
                checkpoint=checkpoint,
                out_of_time=lambda looks=looks: next(looks) >= BLOCKS_OF_A_SLICE,  # type: ignore[misc]
            )
        except OutOfTimeError as stop:
            checkpoint = stop.checkpoint
    assert checkpoint is not None
    return {
        "checkpoint": checkpoint,
        "output": {name: text_of(body) for name, body in output.objects.items()},
        "scratch": {name: text_of(body) for name, body in scratch.objects.items()},
    }


def _plain(item: Json, batch_id: str) -> Json:
    plain: Json = json.loads(json.dumps(item, default=int).replace(batch_id, "demo-earlier"))
    return plain


def text_of(body: bytes) -> str:
    """Return an object's bytes as a record has them."""
    return base64.b64encode(zlib.compress(body, 9)).decode()


def body_of(text: str) -> bytes:
    """Return the bytes of a recorded object."""
    return zlib.decompress(base64.b64decode(text))
