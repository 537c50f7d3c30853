"""The command `bulk-profiles`: what holds for its process, before the rest is loaded."""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> int:
    """Run the command. Interrupted or terminated, it cleans up and prints no traceback."""
    gc.disable()  # a split makes no cycles, and to look for some costs one second of twenty
    # numpy loads OpenBLAS, whose threads take longer to start than a small file, and forbid a safe fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while the rest is loaded, there is nothing to clean up
    try:
        from bulk_profiles.cli.main import main as run  # noqa: PLC0415 loads all the rest
    except ModuleNotFoundError as error:
        sys.exit(f"bulk-profiles: {error.name} is not installed: install it as bulk-profiles[cli].")

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    return run()


if __name__ == "__main__":
    sys.exit(main())
