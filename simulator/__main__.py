"""Run the simulated Target as a program: python -m simulator --port 9000 --generation 4."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

from simulator.server import running
from simulator.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Print the URL on the first line, then serve until SIGINT or SIGTERM."""
    options = vars(_parser().parse_args(arguments))
    port, certificate, key = options.pop("port"), options.pop("certificate"), options.pop("key")
    dialect: Path | None = options.pop("dialect")
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with running(Settings(**options), port=port, tls=tls) as target:
        if dialect:
            target.speak(dialect.read_text(encoding="utf-8"))
        print(target.url, flush=True)
        stop.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free port (default)")
    parser.add_argument("--certificate", help="PEM file; then the server speaks https")
    parser.add_argument("--dialect", type=Path, help="file with answers by batch; see docs/dialects.md")
    parser.add_argument("--key", help="PEM file of the certificate's key")
    for field in dataclasses.fields(Settings):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, default=field.default, **_type_options(field.default))
    return parser


def _type_options(default: Any) -> dict[str, Any]:
    """Return argparse's options for a setting, by the type of its default."""
    if isinstance(default, bool):
        return {"action": argparse.BooleanOptionalAction}
    if isinstance(default, frozenset):
        return {"type": lambda text: frozenset(filter(None, text.split(","))), "metavar": "ID,ID"}
    return {"type": type(default)}


if __name__ == "__main__":
    sys.exit(main())
