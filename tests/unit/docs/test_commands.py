"""Every command in every document is one that there is, with options that it has."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import boto3
import click
import pytest

from bulk_profiles.cli.main import commands
from local.commands import COMMANDS as ON_A_KEPT_RUN

ROOT = Path(__file__).parents[3]
CHANGELOG = ROOT / "CHANGELOG.md"  # which also names what was
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MAKEFILES = "".join(path.read_text() for path in (ROOT / "Makefile", ROOT / "local/run.mk"))
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:make|bulk-profiles|sam|aws|python -m) [^`]+)`")
_PLACEHOLDER = re.compile(r"<[^<>]*>|\[[^\]]*\]|\.\.\.")
_NUMBER = re.compile(r"\bN\b")
_HIGH_LEVEL = {("s3", "cp"), ("s3", "ls"), ("s3", "rm")}  # commands of the AWS command line without an API


def documented() -> Iterator[tuple[str, str]]:
    """Yield each command with the name of its document."""
    for path in DOCUMENTS:
        text = path.read_text() if path != CHANGELOG else ""
        for block in _BLOCK.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                if command := re.sub(r"\s+# .*|^# .*", "", line.strip()):
                    yield path.name, command
        for command in _INLINE.findall(_BLOCK.sub("", text)):
            yield path.name, " ".join(command.split())


COMMANDS = sorted({command for _, command in documented()})


def of(program: str) -> pytest.MarkDecorator:
    """Parametrize with the arguments of each documented command of a program."""
    found = []
    for command in COMMANDS:
        words = shlex.split(_NUMBER.sub("1", _PLACEHOLDER.sub("x", command)))
        if " ".join(words).removeprefix(".venv/bin/").startswith(f"{program} "):
            found.append(pytest.param(words[len(program.split()) :], id=command))
    return pytest.mark.parametrize("arguments", found)


def test_every_command_in_a_block_is_of_a_program_that_is_checked() -> None:
    known = r"(\.venv/bin/)?(bulk-profiles|make|sam|aws|python -m) |uvx |pipx |eval |cd |git "
    blocks = [command for path in DOCUMENTS for command in _commands_in_blocks(path)]
    assert [command for command in blocks if not re.match(known, command)] == []


def _commands_in_blocks(path: Path) -> list[str]:
    lines = "\n".join(_BLOCK.findall(path.read_text())).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


@of("make")
def test_make_has_the_targets_and_variables_of_the_documents(arguments: list[str]) -> None:
    for argument in arguments:
        name, assigned, _ = argument.partition("=")
        if assigned:
            found = re.search(
                rf"\$\(({name})\)|\$\(or \$\({name}\)|^{name} \?=|\$\({name}\b", MAKEFILES, re.MULTILINE
            )
            assert found or name in ON_A_KEPT_RUN[arguments[0]][1], name
        else:
            assert re.search(rf"^{re.escape(name)}:", MAKEFILES, re.MULTILINE), name


@of("bulk-profiles")
def test_bulk_profiles_has_the_commands_and_options_of_the_documents(arguments: list[str]) -> None:
    """The arguments are parsed as they are for a run."""
    if arguments[0].startswith("-"):
        assert any(
            arguments[0] in parameter.opts for parameter in commands.get_params(click.Context(commands))
        )
        return
    command: click.Command = commands
    context = click.Context(commands, **commands.context_settings)
    while isinstance(command, click.Group) and arguments:
        found = command.get_command(context, arguments[0])
        assert found, arguments[0]
        command, arguments = found, arguments[1:]
    if arguments or isinstance(command, click.Group):  # else the text names the command alone
        command.make_context("bulk-profiles", arguments, parent=context)


@of("python -m")
def test_python_has_the_modules_and_options_of_the_documents(arguments: list[str]) -> None:
    module, *rest = arguments
    spec = importlib.util.find_spec(module)
    assert spec, module
    file = Path(str(spec.origin))
    source = (
        file.with_name("__main__.py").read_text() if spec.submodule_search_locations else file.read_text()
    )
    for option in rest:
        assert not option.startswith("--") or f'"{option}"' in source


@of("sam")
def test_sam_has_the_commands_and_options_of_the_documents(arguments: list[str]) -> None:
    help_text = _sam_help(*[word for word in arguments[:2] if word.isalpha() and word.islower()])
    for option in arguments:
        assert not option.startswith("-") or re.search(rf"(^|[\s,]){option}\b", help_text), option


@cache
def _sam_help(*command: str) -> str:
    """Return what SAM says of one of its commands; it takes seconds to start."""
    others = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }  # it has its own packages
    return subprocess.run(
        [ROOT / ".tools/sam/bin/sam", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=others,
    ).stdout


@of("aws")
def test_aws_has_the_operations_and_options_of_the_documents(arguments: list[str]) -> None:
    service, operation, *rest = arguments
    if (service, operation) in _HIGH_LEVEL:
        return
    method = operation.replace("-", "_")
    client = boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    names = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", member).lower() for member in shape.members}
    names |= {"notification-endpoint"} if "endpoint" in names else set()  # as the command line calls it
    for option in rest:
        assert not option.startswith("--") or option[2:] in {*names, "output", "query", "region"}


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target, _, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(#([^)]*))?\)", path.read_text()):
            linked = (path.parent / target) if target else path
            assert linked.exists(), f"{path.name}: {target}"
            if anchor and linked.suffix == ".md":
                titles = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
                assert anchor in slugs, f"{path.name}: {target}#{anchor}"
