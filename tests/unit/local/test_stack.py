"""Parameters reach the stack as they are, through the SAM CLI's own reading of its command line."""

from __future__ import annotations

import json
import subprocess

from local import stack
from local.engine import TOOLS

_READ = """
import json, sys
from samcli.cli.types import CfnParameterOverridesType
print(json.dumps(CfnParameterOverridesType().convert(tuple(sys.argv[1:]), None, None)))
"""


def test_sam_reads_every_value_as_it_was_given() -> None:
    values = {
        "UploadWindow": "Mon-Fri 03:00-04:00",
        "TokenSecretArn": "",
        "TargetEndpoint": "http://127.0.0.1:9000",
        "NotifyEmail": 'a "b" c=d, e',
    }
    command = [str(TOOLS / "sam/bin/python"), "-c", _READ, *stack.overrides(values)[1:]]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == values
