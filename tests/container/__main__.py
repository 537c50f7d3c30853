"""Set up what the tests in containers need, then run them: `make test-container`.

They run in a network, a mount table and a process table of their own. There the Docker engine may change what
it likes, everything that any of it started ends with the tests, and nothing can reach the world outside.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from local import stack
from local.errors import LocalRunError
from local.folders import run_folder
from tests.container import stand_in

ARCHIVE = "STAND_IN_ARCHIVE"  # the environment variable that tells the tests that all this is so
_NAMESPACES = (
    *("unshare", "--net", "--mount", "--propagation", "private"),
    *("--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)


def main() -> NoReturn:
    """Become the tests, or say why they cannot run."""
    try:
        stand_in.install_packages()
        archive = stand_in.archive()
        with run_folder() as folder:
            stack.build(folder)  # now: it needs packages from outside
    except LocalRunError as error:
        sys.exit(f"Could not run: {error}.")
    _become_the_tests(archive)


def _become_the_tests(archive: Path) -> NoReturn:
    pytest = [sys.executable, "-m", "pytest", "-rs", "-m", "container", "tests/container", *sys.argv[1:]]
    # tini is the first process there: it passes signals on and buries the dead.
    command = [*_NAMESPACES, "tini", "--", *pytest]
    sys.stdout.flush()
    os.execvpe(command[0], command, {**os.environ, ARCHIVE: str(archive)})


if __name__ == "__main__":
    main()
