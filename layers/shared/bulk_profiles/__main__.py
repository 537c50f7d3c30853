"""The command `bulk-profiles`, from the first moment on: loading it takes long enough to be interrupted."""

from __future__ import annotations

import gc
import signal
import sys


def main() -> int:
    """Run the command; interrupted or terminated, it cleans up and says nothing that only we understand."""
    gc.disable()  # a split makes no cycles, and to look for some costs one second of twenty
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # there is nothing to clean up yet
    from bulk_profiles.cli.main import main as run  # noqa: PLC0415 loads all the rest

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    return run()


if __name__ == "__main__":
    sys.exit(main())
