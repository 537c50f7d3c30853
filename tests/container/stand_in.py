"""A stand-in for Lambda's Python image, made of Debian packages: no registry of images is needed.

Debian 13 has Python 3.13. With Lambda's own runtime interface client and the AWS SDK beside it, functions
run as on Lambda, but for a newer C library than Amazon Linux has.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

from local.engine import ROOT, TOOLS, clean_environment
from local.errors import LocalRunError
from local.processes import run
from local.stack import RUNS

MACHINE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
IMAGE = f"public.ecr.aws/lambda/python:3.13-{MACHINE}"  # the name that `sam local invoke` looks for
_KEPT = RUNS / "container"
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_RELEASE = "trixie"
_COMMANDS = {  # -> the Debian package that has it
    "debootstrap": "debootstrap",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "iptables": "iptables",
    "tini": "tini",
}
# What Lambda's image has next to Python itself.
_RUNTIME = {
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
}
_APT_SECONDS, _DEBOOTSTRAP_SECONDS = 600, 1200
_NOT_NEEDED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc")


def install_packages() -> None:
    """Install the Debian packages that are missing; raise LocalRunError where that cannot be."""
    if os.geteuid() != 0:
        raise LocalRunError("A Docker engine of our own needs root: run make test-container as root")
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    missing = sorted({package for command, package in _COMMANDS.items() if not shutil.which(command)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LocalRunError(f"{', '.join(missing)} is missing, and there is no apt-get to install it with")
    print(f"Installing the Debian packages {', '.join(missing)}", flush=True)  # noqa: T201  # for whoever waits
    environment = {**clean_environment(), "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "--quiet"], install):
        _run(command, environment, _APT_SECONDS)


def archive() -> Path:
    """Give the image's files as a tar archive; make it unless it was made before."""
    made = _KEPT / f"python-3.13-{_recipe_digest()}.tar"
    if not made.exists():
        print("Making a stand-in for Lambda's Python image, once: some minutes", flush=True)  # noqa: T201  # for whoever waits
        _KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_KEPT) as folder:
            root, packed = Path(folder, "root"), Path(folder, "packed.tar")
            _install_debian(root)
            _install_runtime(root / "var/runtime")
            _run(["tar", "-C", str(root), "-cf", str(packed), "."], clean_environment(), _APT_SECONDS)
            for old in _KEPT.glob("*.tar"):
                old.unlink()
            packed.rename(made)
    return made


def _install_debian(root: Path) -> None:
    debootstrap = ["debootstrap", "--variant=minbase", "--include=python3,ca-certificates"]
    # In a mount namespace: what it mounts below the root must be gone before anybody removes that.
    namespace = ["unshare", "--mount", "--propagation", "private", "--"]
    _run(
        [*namespace, *debootstrap, _RELEASE, str(root), _mirror()], clean_environment(), _DEBOOTSTRAP_SECONDS
    )
    for name in _NOT_NEEDED:
        shutil.rmtree(root / name)


def _mirror() -> str:
    """Give the mirror that apt uses here."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    mirrors = [line for line in said.splitlines() if line.startswith("http") and "security" not in line]
    if not mirrors:
        raise LocalRunError("apt knows no Debian mirror to make the image from")
    return mirrors[0]


def _install_runtime(folder: Path) -> None:
    """Copy the runtime interface client and the AWS SDK, as pinned for the local engine."""
    folder.mkdir(parents=True)
    [packages] = (TOOLS / "engine/lib").glob("python3.13/site-packages")
    left = set(_RUNTIME)
    for distribution in metadata.distributions(path=[str(packages)]):
        name = distribution.metadata["Name"].lower().replace("_", "-")
        if name not in left:
            continue
        left.remove(name)
        for file in distribution.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:  # no scripts
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(packages / file, folder / file)
    if left:
        raise LocalRunError(f"The local engine's packages have no {', '.join(sorted(left))}")
    bootstrap = folder / "bootstrap"
    bootstrap.write_text("#!/usr/bin/python3\n" + _BOOTSTRAP.read_text())
    bootstrap.chmod(0o755)


def _run(command: list[str], environment: dict[str, str], seconds: int) -> None:
    _KEPT.mkdir(parents=True, exist_ok=True)
    what = " ".join(command[:2]) if command[0] == "apt-get" else command[0]
    run(
        command,
        log=_KEPT / f"{what.replace(' ', '-')}.log",
        environment=environment,
        seconds=seconds,
        what=what,
    )


def _recipe_digest() -> str:
    digest = hashlib.sha256()
    for path in (Path(__file__), _BOOTSTRAP, ROOT / "requirements/engine.txt"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
