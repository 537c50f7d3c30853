"""Look up known vulnerabilities of everything that is pinned: `make audit`.

A package that the advisory service cannot be asked about is reported as not audited. That is no failure: it
is not known to be vulnerable.
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
class AuditResult:
    """The result of the audit of one file."""

    unknown: int  # packages that the service could not be asked about
    packages: int
    vulnerabilities: tuple[str, ...] = ()  # one sentence each


def audit(requirements: Path) -> AuditResult:
    """Look up every package of a file of requirements."""
    command = [str(TOOLS / "audit/bin/pip-audit"), "--require-hashes", "--disable-pip"]
    command += ["--requirement", str(requirements), "--format", "json", "--progress-spinner", "off"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False).stdout
    except subprocess.TimeoutExpired:
        output = ""
    return parse(output, pinned=requirements.read_text().count("=="))


def parse(output: str, pinned: int) -> AuditResult:
    """Parse pip-audit's output; if it has no answer, none of the `pinned` packages was audited."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return AuditResult(pinned, pinned)
    vulnerabilities = tuple(
        f"{package['name']} {package['version']}: {fault['id']}, fixed in {fault['fix_versions'] or 'none'}"
        for package in packages
        for fault in package.get("vulns", [])
    )
    return AuditResult(sum("skip_reason" in package for package in packages), len(packages), vulnerabilities)


def main() -> int:
    """Audit every file of pinned requirements; return 1 if there is a known vulnerability, else 0."""
    files = [ROOT / "requirements-dev.txt", *sorted(ROOT.glob("layers/*/requirements.txt"))]
    files += sorted(ROOT.glob("requirements/*.txt"))
    vulnerable = False
    for path in files:
        result = audit(path)
        name = path.relative_to(ROOT)
        for vulnerability in result.vulnerabilities:
            print(f"{name}: {vulnerability}")
        vulnerable |= bool(result.vulnerabilities)
        if result.unknown:
            print(f"NOT AUDITED: {result.unknown} of {result.packages} packages of {name}: no advisories")
        else:
            print(f"{name}: {result.packages} packages audited")
    return int(vulnerable)


if __name__ == "__main__":
    sys.exit(main())
