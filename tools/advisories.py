"""Look up known vulnerabilities of everything that is pinned: `make audit`.

Where the advisory service cannot be asked about a package, that is said, loudly, and is no failure: what was
not looked at is not known to be vulnerable.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from local.engine import ROOT, TOOLS

_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Audited:
    """What became of one file: packages asked about in vain, and known vulnerabilities as text."""

    unknown: int
    packages: int
    vulnerable: tuple[str, ...] = ()


def audit(requirements: Path) -> Audited:
    """Ask about every package of a file."""
    command = [str(TOOLS / "audit/bin/pip-audit"), "--require-hashes", "--disable-pip"]
    command += ["--requirement", str(requirements), "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        answer = done.stdout
    except subprocess.TimeoutExpired:
        answer = ""
    return read(answer, pinned=requirements.read_text().count("=="))


def read(answer: str, pinned: int) -> Audited:
    """Read pip-audit's answer; without one, none of the `pinned` packages was asked about."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Audited(pinned, pinned)
    vulnerable = tuple(
        f"{package['name']} {package['version']}: {fault['id']}, mended in {fault['fix_versions'] or 'none'}"
        for package in packages
        for fault in package.get("vulns", [])
    )
    return Audited(sum("skip_reason" in package for package in packages), len(packages), vulnerable)


def main() -> int:
    """Audit every pinned file; 1 where there is a known vulnerability."""
    files = [ROOT / "requirements-dev.txt", *sorted(ROOT.glob("layers/*/requirements.txt"))]
    files += sorted(ROOT.glob("requirements/*.txt"))
    found = False
    for path in files:
        audited = audit(path)
        name = path.relative_to(ROOT)
        for fault in audited.vulnerable:
            print(f"{name}: {fault}")
        found |= bool(audited.vulnerable)
        if audited.unknown:
            print(f"NOT AUDITED: {audited.unknown} of {audited.packages} packages of {name}: no advisories")
        else:
            print(f"{name}: {audited.packages} packages audited")
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
