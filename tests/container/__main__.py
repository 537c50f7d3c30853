"""Install what the tests in containers need, then run them: `make test-container`.

They run in network, mount and process namespaces of their own. The Docker engine can change nothing outside
of them, all processes end with the tests, and nothing reaches another machine.
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

ARCHIVE = "STAND_IN_ARCHIVE"  # the environment variable by which the tests know that all this is installed


def main() -> NoReturn:
    """Replace this process by the tests, or exit with the reason why they cannot run."""
    try:
        stand_in.check_machine()
        stand_in.install_packages()
        archive = stand_in.archive()
        with run_folder() as folder:
            stack.build(folder)  # before the namespaces: it downloads packages
    except LocalRunError as error:
        sys.exit(f"NOT RUN: the tests in containers. {error}.")
    _replace_by_the_tests(archive)


def _replace_by_the_tests(archive: Path) -> NoReturn:
    pytest = [sys.executable, "-m", "pytest", "-rs", "-m", "container", "tests/container", *sys.argv[1:]]
    # tini is the first process there: it forwards signals and reaps processes.
    command = [*stand_in.NAMESPACES, "tini", "--", *pytest]
    sys.stdout.flush()
    os.execvpe(command[0], command, {**os.environ, ARCHIVE: str(archive)})


if __name__ == "__main__":
    main()
