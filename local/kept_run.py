"""Leave the processes of a run running, and print how to use and how to stop them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from rich.console import Console

from local.deployment import Deployment
from local.folders import KEPT


def keep(deployed: Deployment, folder: Path, console: Console) -> None:
    """Let the processes outlive this one; print how to use them, and write it down in `folder`."""
    for process in deployed.processes:
        process.kept = True
    pids = [process.pid for process in deployed.processes]
    note = {
        "endpoint": deployed.engine.url,
        "target": deployed.target,
        "pids": pids,
        "outputs": deployed.outputs,
    }
    (folder / KEPT).write_text(json.dumps(note, indent=2) + "\n")
    environment = deployed.engine.environment
    exports = " ".join(
        f"{name}={shlex.quote(environment[name])}"
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    )
    outputs = deployed.outputs
    lines = [
        "",
        f"Still up: AWS at {deployed.engine.url}, Target at {deployed.target}. To look around:",
        f"  export {exports}",
        "  .venv/bin/bulk-profiles list",
        "  .venv/bin/bulk-profiles show IMPORT",
        "  .venv/bin/bulk-profiles find ID",
        "with the AWS command line, where it is installed, or with boto3:",
        f"  aws s3 cp FILE s3://{outputs['DropBucketName']}/drop/default/",
        f"  aws s3 ls --recursive s3://{outputs['DataBucketName']}/imports/",
        f"  aws stepfunctions list-executions --state-machine-arn {outputs['StateMachineArn']}",
        *([f"  curl {deployed.target}/_control/requests"] if deployed.simulated else []),
        f"Logs: {folder}",
        # An engine that is asked to end waits for executions that wait, perhaps for a day.
        f"To stop it: kill -KILL -- {' '.join(f'-{pid}' for pid in pids)}",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
