"""Build and deploy the template as it is, with the SAM CLI, to a local engine."""

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
_STACK = "bulk-profiles"
# A function runs on this machine's own processor here, whatever the deployment's default is.
_HOST = {"Architecture": "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"}
_ARTIFACTS = "artifacts"
_BUILD_SECONDS = 600
_DEPLOY_SECONDS = 180
_BUILDS_KEPT = 3
_UNUSED_SECONDS = 3600


def build(folder: Path) -> Path:
    """Give the folder of the built template; build it unless these very sources were built before.

    `folder` takes the log. Several runs may build at once: each builds in a folder of its own, and the first
    to end gives it its name.
    """
    built = _BUILDS / _sources_digest()
    if not built.exists():
        _BUILDS.mkdir(parents=True, exist_ok=True)
        # As deep as the final place: the built template names the state machine by a relative path.
        ours = Path(tempfile.mkdtemp(dir=_BUILDS))
        command = [
            "build",
            "--template",
            str(TEMPLATE),
            "--build-dir",
            str(ours),
            "--base-dir",
            str(ROOT),
            "--parallel",
        ]
        command += _overrides(_HOST)
        try:
            _sam(command, folder, _BUILD_SECONDS, "sam build", {})
            _pack_layers(ours)
            if not built.exists():
                ours.rename(built)
        finally:
            shutil.rmtree(ours, ignore_errors=True)
        _forget_old_builds(built)
    built.touch()
    return built


def deploy(engine: Engine, built: Path, parameters: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Deploy a built template and give the stack's outputs by name. `folder` takes the log."""
    engine.s3.create_bucket(Bucket=_ARTIFACTS)
    no_config = folder / "samconfig.toml"  # the project's own is for AWS
    no_config.write_text("version = 0.1\n")
    command = [
        "deploy",
        *("--template-file", str(built / "template.yaml")),
        *("--stack-name", _STACK, "--s3-bucket", _ARTIFACTS, "--region", REGION),
        *("--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"),
        *("--config-file", str(no_config)),
    ]
    command += _overrides(_HOST | dict(parameters))
    _sam(command, folder, _DEPLOY_SECONDS, "sam deploy", engine.environment)
    stacks = aws_session().client("cloudformation", endpoint_url=engine.url)
    [stack] = stacks.describe_stacks(StackName=_STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _pack_layers(built: Path) -> None:
    """Zip the layers once, as each `sam deploy` would again: that is most of its time."""
    template = built / "template.yaml"
    text = template.read_text()
    for name in re.findall(r"^ +ContentUri: (\w+)$", text, re.MULTILINE):
        with zipfile.ZipFile(built / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for path in sorted((built / name).rglob("*")):
                packed.write(path, path.relative_to(built / name))
        shutil.rmtree(built / name)
        text = re.sub(rf"^( +ContentUri: {name})$", r"\1.zip", text, flags=re.MULTILINE)
    template.write_text(text)


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]


def _sam(arguments: list[str], folder: Path, seconds: int, what: str, environment: Mapping[str, str]) -> None:
    python = Path(sys.executable).parent  # the builder takes the first python3.13 it finds
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


def _forget_old_builds(current: Path) -> None:
    """Remove all but the newest builds, unless another run may be deploying them right now."""
    builds = sorted(_BUILDS.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for build in builds[_BUILDS_KEPT:]:
        if build != current and time.time() - build.stat().st_mtime > _UNUSED_SECONDS:
            shutil.rmtree(build, ignore_errors=True)
