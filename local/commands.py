"""Use the newest kept run: `make drop FILE=customers.csv`, `make watch`, and the others of `make help`.

python -m local.commands drop FILE=customers.csv

Files are dropped and imports are looked at by `bulk-profiles`, which finds the kept stack by its environment.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bulk_profiles.cli.main import main as bulk_profiles
from bulk_profiles.cli.stack import Stack
from bulk_profiles.cli.watching import exit_status, watch
from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.names import DEFAULT_FEED, DROP_PREFIX, feed_key, import_id, passed_over
from local import variables
from local.engine import aws_session, clean_environment
from local.errors import LocalRunError
from local.imports import read_feed
from local.kept_run import KeptRun, functions
from local.stack import STACK

type Values = Mapping[str, str]

_COULD_NOT, _INTERRUPTED = 2, 130  # exit codes
_WATCH_SECONDS = 1.0  # between two looks
_LINES = 60  # of a log
_INVOKE_SECONDS = 930  # more than any function may take


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    goal, *words = sys.argv[1:] if arguments is None else arguments
    try:
        values = dict(word.split("=", 1) for word in words)
        command, known = COMMANDS[goal]
        variables.check(goal, values, known)
        if goal == "clean":
            return command(values)
        kept = KeptRun.newest()
        environment = {**clean_environment(), **kept.environment, "BULK_PROFILES_STACK": STACK}
        os.environ.clear()
        os.environ.update(environment)
        return command(kept, values)
    except (LocalRunError, BulkProfilesError, BotoCoreError, ClientError) as error:
        print(f"make {goal}: {str(error).rstrip('.')}.", file=sys.stderr)
        return _COULD_NOT
    except KeyboardInterrupt:
        return _INTERRUPTED


def _drop(kept: KeptRun, values: Values) -> int:
    file = _needed("drop", values, "FILE", "customers.csv")
    feed, configuration = read_feed(values.get("FEED") or DEFAULT_FEED)
    if configuration is not None:
        bucket = kept.outputs["DataBucketName"]
        kept.client("s3").put_object(Bucket=bucket, Key=feed_key(feed), Body=configuration)
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        code = bulk_profiles(["drop", "--feed", feed, "--json", "--", file])
    if code:
        return code
    print(f"Dropped {Path(file).name} as import {json.loads(answer.getvalue())['importId']}")
    print("To follow it: make watch")
    return 0


def _watch(kept: KeptRun, values: Values) -> int:
    name = values.get("IMPORT") or _newest(kept)
    expected = not values.get("IMPORT")  # its file may have been dropped just now
    return exit_status(watch(Stack.of(STACK), name, _WATCH_SECONDS, expected=expected))


def _list(_kept: KeptRun, _values: Values) -> int:
    return bulk_profiles(["list"])


def _show(kept: KeptRun, values: Values) -> int:
    return bulk_profiles(["show", "--", values.get("IMPORT") or _newest(kept)])


def _find(_kept: KeptRun, values: Values) -> int:
    return bulk_profiles(["find", "--", _needed("find", values, "ID", "crm-000001")])


def _invoke(kept: KeptRun, values: Values) -> int:
    """Invoke a function with the event of a file; print its answer and its log."""
    name = _needed("invoke", values, "FUNCTION", "UploadBatchFunction")
    event = _event(_needed("invoke", values, "EVENT", "events/upload_batch.json"))
    if wanted := values.get("IMPORT"):
        _about(event, wanted)
    names = functions(kept.endpoint)
    if name not in names:
        near = variables.did_you_mean(name, names) or f"; the stack has {', '.join(sorted(names))}"
        raise LocalRunError(f"There is no function {name}{near}")
    once = Config(read_timeout=_INVOKE_SECONDS, retries={"total_max_attempts": 1})
    client = aws_session().client("lambda", endpoint_url=kept.endpoint, config=once)
    answer = client.invoke(FunctionName=names[name], Payload=json.dumps(event), LogType="Tail")
    print(json.dumps(json.loads(answer["Payload"].read()), indent=2, ensure_ascii=False))
    print("\nLog:")
    print(base64.b64decode(answer.get("LogResult", "")).decode(errors="replace").strip())
    return int("FunctionError" in answer)


def _about(event: dict[str, Any], import_id: str) -> None:
    """Put an import into an event: also where it is in the input of an execution, as of resend and verify.

    Raises LocalRunError for an event of no import.
    """
    given = event["input"] if isinstance(event.get("input"), dict) else event
    if "importId" not in given:
        raise LocalRunError("IMPORT is of no use: the event has no importId to be replaced")
    given["importId"] = import_id
    if "execution" in event:
        event["execution"] = f"{import_id}-by-hand"


def _logs(kept: KeptRun, _values: Values) -> int:
    """Print the end of the engine's log, which has the functions' logs too."""
    log = kept.folder / "engine.log"
    with log.open(errors="replace") as lines:
        sys.stdout.writelines(deque(lines, _LINES))
    print(f"\nAll of it: {log}; the simulator's is target.log beside it")
    return 0


def _stop(kept: KeptRun, _values: Values) -> int:
    kept.stop()
    print(f"Stopped, and removed {kept.folder}")
    return 0


def _clean(_values: Values) -> int:
    for kept in KeptRun.running():
        kept.stop()
        print(f"Stopped the kept run of {kept.folder}")
    return 0


def _newest(kept: KeptRun) -> str:
    """Return the import of the file that was dropped last, also before it has begun."""
    bucket = kept.outputs["DropBucketName"]
    pages = (
        kept.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=DROP_PREFIX)
    )
    dropped = [each for page in pages for each in page.get("Versions", []) if not passed_over(each["Key"])]
    if not dropped:
        raise LocalRunError("Nothing has been dropped")
    last = max(dropped, key=lambda each: each["LastModified"])
    return import_id(bucket, last["Key"], last["VersionId"])


def _event(path: str) -> dict[str, Any]:
    try:
        event = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise LocalRunError(f"EVENT {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise LocalRunError(f"EVENT {path} is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise LocalRunError(f"EVENT {path} is not a JSON object")
    return event


def _needed(goal: str, values: Values, name: str, example: str) -> str:
    """Return the value of a variable. Raises LocalRunError without one."""
    if not values.get(name):
        raise LocalRunError(f"{name} is missing: make {goal} {name}={example}")
    return values[name]


# Each command with the variables that it has.
COMMANDS: dict[str, tuple[Callable[..., int], tuple[str, ...]]] = {
    "drop": (_drop, ("FILE", "FEED")),
    "watch": (_watch, ("IMPORT",)),
    "list": (_list, ()),
    "show": (_show, ("IMPORT",)),
    "find": (_find, ("ID",)),
    "invoke": (_invoke, ("FUNCTION", "EVENT", "IMPORT")),
    "logs": (_logs, ()),
    "stop": (_stop, ()),
    "clean": (_clean, ()),
}


if __name__ == "__main__":
    sys.exit(main())
