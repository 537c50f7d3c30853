"""Build the template as it is with the SAM CLI, and deploy it to a local engine."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.engine import REGION, ROOT, TOOLS, Engine, aws_session, clean_environment
from local.processes import run

TEMPLATE = ROOT / "template.yaml"
RUNS = ROOT / ".run"
_BUILDS = RUNS / "builds"
_SOURCES = ("template.yaml", "layers", "functions", "statemachine")
STACK = "bulk-profiles"  # its name
# Here a function runs on this machine's processor, whatever the template's default is.
_HOST = {"Architecture": "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"}
_ARTIFACTS = "artifacts"
_BUILD_SECONDS = 600
_DEPLOY_SECONDS = 180
_BUILDS_KEPT = 3
_UNUSED_SECONDS = 3600


def build(folder: Path) -> Path:
    """Build the template, unless the same sources were built before, and return the folder of the build.

    The log goes to `folder`. Several runs may build at once: each builds in a temporary folder, and the first
    to end renames its own to the final name.
    """
    build_dir = _BUILDS / _sources_digest()
    if not build_dir.exists():
        _BUILDS.mkdir(parents=True, exist_ok=True)
        # As deep as the final folder: the built template names the state machine by a relative path.
        temporary = Path(tempfile.mkdtemp(dir=_BUILDS))
        command = [
            "build",
            "--template",
            str(TEMPLATE),
            "--build-dir",
            str(temporary),
            "--base-dir",
            str(ROOT),
            "--parallel",
        ]
        command += overrides(_HOST)
        try:
            _sam(command, folder, _BUILD_SECONDS, "sam build", {})
            _pack_layers(temporary)
            if not build_dir.exists():
                temporary.rename(build_dir)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _remove_old_builds(build_dir)
    build_dir.touch()
    return build_dir


def deploy(engine: Engine, build_dir: Path, parameters: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Deploy a build and return the stack's outputs by name. The log goes to `folder`."""
    engine.s3.create_bucket(Bucket=_ARTIFACTS)
    no_config = folder / "samconfig.toml"  # the project's own is for AWS
    no_config.write_text("version = 0.1\n")
    command = [
        "deploy",
        *("--template-file", str(build_dir / "template.yaml")),
        *("--stack-name", STACK, "--s3-bucket", _ARTIFACTS, "--region", REGION),
        *("--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"),
        *("--config-file", str(no_config)),
    ]
    command += overrides(_HOST | dict(parameters))
    _sam(command, folder, _DEPLOY_SECONDS, "sam deploy", engine.environment)
    stacks = aws_session().client("cloudformation", endpoint_url=engine.url)
    [stack] = stacks.describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _pack_layers(build_dir: Path) -> None:
    """Zip the layers once. Every `sam deploy` would zip them again, which is most of its time."""
    template = build_dir / "template.yaml"
    text = template.read_text()
    for name in re.findall(r"^ +ContentUri: (\w+)$", text, re.MULTILINE):
        with zipfile.ZipFile(
            build_dir / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1
        ) as archive:
            for path in sorted((build_dir / name).rglob("*")):
                archive.write(path, path.relative_to(build_dir / name))
        shutil.rmtree(build_dir / name)
        text = re.sub(rf"^( +ContentUri: {name})$", r"\1.zip", text, flags=re.MULTILINE)
    template.write_text(text)


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """Return the options of the SAM CLI for parameters by name."""
    return ["--parameter-overrides", *(f"{name}={_quoted(value)}" for name, value in parameters.items())]


def _quoted(value: str) -> str:
    """Return a value as SAM reads it: it would cut a bare one at the first blank."""
    return '"' + value.replace('"', r"\"") + '"'


def _sam(arguments: list[str], folder: Path, seconds: int, what: str, environment: Mapping[str, str]) -> None:
    python = Path(sys.executable).parent  # SAM builds with the first python3.13 on the path
    run(
        [str(TOOLS / "sam/bin/sam"), *arguments],
        log=folder / f"{what.replace(' ', '-')}.log",
        environment={
            **clean_environment(),
            "AWS_DEFAULT_REGION": REGION,
            **environment,
            "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.2",  # seconds; 5 by default, most of a deployment here
            "__SAM_CLI_APP_DIR": str(folder / "sam"),
        },
        seconds=seconds,
        what=what,
    )


def _sources_digest() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in _source_files():
        digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _source_files() -> Iterator[Path]:
    for name in _SOURCES:
        source = ROOT / name
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _remove_old_builds(current: Path) -> None:
    """Remove all but the newest builds; a recent one stays, as another run may be deploying it."""
    builds = sorted(_BUILDS.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for build in builds[_BUILDS_KEPT:]:
        if build != current and time.time() - build.stat().st_mtime > _UNUSED_SECONDS:
            shutil.rmtree(build, ignore_errors=True)
