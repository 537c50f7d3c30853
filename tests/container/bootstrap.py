"""What Lambda's runtime starts a function with, in the stand-in for its image; runs in the container alone.

It first says on stderr what it finds around it, for the tests to read.
"""

import json
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

_TASK, _LAYERS, _RUNTIME = "/var/task", "/opt/python", "/var/runtime"
_MODULES = ("app", "bulk_profiles", "requests", "duckdb", "boto3", "awslambdaric")
_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def main() -> None:
    """Say what is there, then become the runtime."""
    order = [_TASK, _LAYERS, _RUNTIME]
    specs = {name: PathFinder.find_spec(name, order) for name in _MODULES}
    surroundings = {
        "python": sys.version.split()[0],
        "memoryLimit": next((path.read_text().strip() for path in _MEMORY_LIMITS if path.exists()), ""),
        "taskIsWritable": os.access(_TASK, os.W_OK),
        "modules": {name: spec.origin for name, spec in specs.items() if spec},
    }
    print("SURROUNDINGS", json.dumps(surroundings), file=sys.stderr, flush=True)  # noqa: T201  # read by the tests
    os.environ["PYTHONPATH"] = os.pathsep.join(order[1:])  # `-m` puts the task's folder before them
    os.execv(sys.executable, [sys.executable, "-m", "awslambdaric", os.environ["_HANDLER"]])


if __name__ == "__main__":
    main()
