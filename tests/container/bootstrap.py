"""The program that starts a function in the stand-in for Lambda's image; it runs in the container only.

It first describes its surroundings on stderr, where the tests read them.
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
    """Print the surroundings, then replace this process by the runtime."""
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
