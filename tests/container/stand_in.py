"""A stand-in for Lambda's Python image, built of Debian packages, so that no registry of images is needed.

Debian 13 has Python 3.13. With Lambda's runtime interface client and the AWS SDK, functions run as on Lambda,
except that the C library is newer than that of Amazon Linux.
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
NAMESPACES = (
    *("unshare", "--net", "--mount", "--propagation", "private"),
    *("--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)
_OS_RELEASE = Path("/etc/os-release")
_FOLDER = RUNS / "container"
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_RELEASE = "trixie"
_COMMANDS = {  # command: the Debian package that has it
    "debootstrap": "debootstrap",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "iptables": "iptables",
    "tini": "tini",
}
# The packages of Lambda's image.
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


def check_machine() -> None:
    """Raise LocalRunError where no Docker engine of our own can run, before anything is installed."""
    if os.geteuid() != 0:
        raise LocalRunError("A Docker engine of our own needs root: run make test-container as root")
    release = _OS_RELEASE.read_text().splitlines() if _OS_RELEASE.exists() else []
    if "ID=debian" not in release:
        raise LocalRunError("The stand-in for Lambda's image is built with the packages of a Debian system")
    if not shutil.which("unshare") or subprocess.run([*NAMESPACES, "true"], check=False).returncode:
        raise LocalRunError("New namespaces are not allowed here; a container needs --privileged for them")


def install_packages() -> None:
    """Install the missing Debian packages; raise LocalRunError where that is not possible."""
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
    """Return the tar archive of the image's files; build it if this recipe was not built before."""
    image = _FOLDER / f"python-3.13-{_recipe_digest()}.tar"
    if not image.exists():
        print("Building a stand-in for Lambda's Python image, once: some minutes", flush=True)  # noqa: T201  # for whoever waits
        _FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
            root, temporary = Path(folder, "root"), Path(folder, "image.tar")
            _install_debian(root)
            _install_runtime(root / "var/runtime")
            _run(["tar", "-C", str(root), "-cf", str(temporary), "."], clean_environment(), _APT_SECONDS)
            for old in _FOLDER.glob("*.tar"):
                old.unlink()
            temporary.rename(image)
    return image


def _install_debian(root: Path) -> None:
    debootstrap = ["debootstrap", "--variant=minbase", "--include=python3,ca-certificates"]
    # In a mount namespace: what it mounts below the root must be unmounted before the root is removed.
    namespace = ["unshare", "--mount", "--propagation", "private", "--"]
    _run(
        [*namespace, *debootstrap, _RELEASE, str(root), _mirror()], clean_environment(), _DEBOOTSTRAP_SECONDS
    )
    for name in _NOT_NEEDED:
        shutil.rmtree(root / name)


def _mirror() -> str:
    """Return the mirror that apt uses here."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    mirrors = [line for line in output.splitlines() if line.startswith("http") and "security" not in line]
    if not mirrors:
        raise LocalRunError("apt knows no Debian mirror to build the image from")
    return mirrors[0]


def _install_runtime(folder: Path) -> None:
    """Copy the runtime interface client and the AWS SDK, as pinned for the local engine."""
    folder.mkdir(parents=True)
    [packages] = (TOOLS / "engine/lib").glob("python3.13/site-packages")
    missing = set(_RUNTIME)
    for distribution in metadata.distributions(path=[str(packages)]):
        name = distribution.metadata["Name"].lower().replace("_", "-")
        if name not in missing:
            continue
        missing.remove(name)
        for file in distribution.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:  # no scripts
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(packages / file, folder / file)
    if missing:
        raise LocalRunError(f"The local engine's packages have no {', '.join(sorted(missing))}")
    bootstrap = folder / "bootstrap"
    bootstrap.write_text("#!/usr/bin/python3\n" + _BOOTSTRAP.read_text())
    bootstrap.chmod(0o755)


def _run(command: list[str], environment: dict[str, str], seconds: int) -> None:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    what = " ".join(command[:2]) if command[0] == "apt-get" else command[0]
    run(
        command,
        log=_FOLDER / f"{what.replace(' ', '-')}.log",
        environment=environment,
        seconds=seconds,
        what=what,
    )


def _recipe_digest() -> str:
    digest = hashlib.sha256()
    for path in (Path(__file__), _BOOTSTRAP, ROOT / "requirements/engine.txt"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
