"""The command: its exit codes, its messages, and what it leaves behind."""

from __future__ import annotations

import gc
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from bulk_profiles.__main__ import main as process_main
from bulk_profiles.cli.local_files import FolderOutput
from bulk_profiles.cli.main import all_commands, commands, main
from bulk_profiles.splitting.files import FileSink


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["plan", "{dir}/none.csv"],
        ["plan", "{file}", "--max-batch-rows", "0"],
        ["fly"],
        ["plan", "{file}", "--feed", "{file}"],
        ["plan", "{dir}"],
        ["plan", "/dev/null"],
        ["plan", "{file}", "--max-batch-bytes", "-1"],
        ["plan", "{file}", "--rows-a-day", "-5"],
        ["plan", "{file}", "--processes", "0"],
        ["plan", "{file}", "--max-rejected-percent", "few"],
        ["plan", "{file}", "--delimiter", "::"],
        ["plan", "{file}", "--feed", "{dir}/list.json", "--short-rows", "fill"],
        ["plan", "{file}", "--feed", "{dir}/deep.json"],
        ["plan", "{file}", "--out", "{file}"],
    ],
)
def test_main_with_wrong_use_exits_with_2(
    arguments: list[str], customers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (customers.parent / "deep.json").write_text("[" * 200_000)
    (customers.parent / "list.json").write_text("[]")
    filled = [argument.format(file=customers, dir=customers.parent) for argument in arguments]
    try:
        code = main(filled)
    except SystemExit as exited:
        code = exited.code if isinstance(exited.code, int) else -1
    assert code == 2
    message = capsys.readouterr().err
    assert "Errno" not in message
    assert "_positive" not in message
    assert message.endswith("\n")


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ("{", "is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)."),
        ("[" * 200_000, "is nested too deep."),
    ],
)
def test_main_with_a_feed_that_is_not_json_names_its_file(
    feed: str, message: str, customers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = customers.parent / "feed.json"
    path.write_text(feed)
    assert main(["plan", str(customers), "--feed", str(path)]) == 2
    assert capsys.readouterr().err == f"bulk-profiles plan: {path} {message}\n"


def test_main_on_a_full_disk_names_the_file(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = tmp_path / "out" / "batches"
    batches.mkdir(parents=True)
    create = FolderOutput.create

    def create_on_a_full_disk(output: FolderOutput, name: str) -> FileSink:
        (batches / "00001.batch.partial").symlink_to("/dev/full")
        return create(output, name)

    monkeypatch.setattr(FolderOutput, "create", create_on_a_full_disk)
    assert main(["plan", str(customers), "--out", str(tmp_path / "out")]) == 2
    assert f"{batches / '00001.batch'}: No space left on device." in capsys.readouterr().err
    assert not list(batches.iterdir())


def test_main_prints_a_name_that_cannot_be_encoded(customers: Path, tmp_path: Path) -> None:
    path = tmp_path / "kunden-\U0001f600\n\udcff.csv"
    path.write_bytes(customers.read_bytes())
    command = [sys.executable, "-m", "bulk_profiles", "plan", str(path)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (result.returncode, result.stderr) == (1, b"")  # one of its four rows is rejected


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"pcId,a\n1,x\n", 0),
        (b"pcId,a\n" + b"1,x\n" * 9 + b",x\n", 0),
        (b"pcId,a\n" + b"1,x\n" * 8 + b",x\n", 1),
        (b"pcId,a\n", 1),
        (b"", 1),
    ],
)
def test_main_exits_with_0_only_if_the_import_would_succeed(tmp_path: Path, body: bytes, status: int) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(body)
    assert main(["plan", str(path)]) == status


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lsit"], "There is no command lsit (did you mean list?)."),
        (["Watch", "crm-1"], "There is no command Watch (did you mean watch?)."),
        (["fly"], "There is no command fly."),
        (["list", "--stak", "x"], "Did you mean '--stack'?"),
    ],
)
def test_main_names_the_closest_command_or_option(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_main_names_all_faults_of_its_options_at_once(
    customers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--short-rows", "filled", "--quoting", "dubble", "--max-rejected-percent", "101"]
    assert main(["plan", str(customers), *options]) == 2
    message = capsys.readouterr().err
    assert "shortRows must be one of reject, fill (did you mean fill?)" in message
    assert "quoting must be one of double, none (did you mean double?)" in message
    assert "maxRejectedPercent must be a whole number from 0 to 100" in message


@pytest.mark.parametrize(("number", "message"), [(signal.SIGINT, b"interrupted"), (signal.SIGTERM, b"")])
def test_command_that_is_stopped_leaves_nothing(
    number: signal.Signals, message: bytes, customers: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with customers.open("ab") as stream:
        stream.write(b",no id\n" * 2_000_000)  # for longer than it takes to be stopped
    out = tmp_path / "out"
    command = [sys.executable, "-m", "bulk_profiles", "plan", str(customers), "--out", str(out)]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        while not (out / "batches").exists():
            time.sleep(0.01)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (128 + number, b"")
    assert errors.removeprefix(b"bulk-profiles plan: ").strip() == message
    assert list(scratch.iterdir()) == []


def test_command_whose_output_is_closed_is_silent(customers: Path) -> None:
    command = [sys.executable, "-m", "bulk_profiles", "plan", str(customers), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("arguments", "closed", "status"),
    [
        (["plan", "{file}"], "<&- >&-", 1),
        (["plan", "-"], "<&-", 1),
        (["--help"], ">&-", 0),
        (["plan", "{file}.csv"], "2>&-", 2),
    ],
)
def test_command_whose_streams_are_closed_ends_in_order(
    arguments: list[str], closed: str, status: int, customers: Path
) -> None:
    command = [sys.executable, "-m", "bulk_profiles", *(each.format(file=customers) for each in arguments)]
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *command]
    result = subprocess.run(shell, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (status, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="it stands for a full disk")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plan", "--help"], ["plan", "{file}"]])
def test_output_that_cannot_be_written_is_told_in_one_line(arguments: list[str], customers: Path) -> None:
    command = [sys.executable, "-m", "bulk_profiles", *(each.format(file=customers) for each in arguments)]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    [line] = result.stderr.splitlines()
    assert (result.returncode, line.rpartition(b": ")[2]) == (2, b"No space left on device.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["find", "\udcff"],
        ["drop", "a\udcff.csv"],
        ["list", "--stack", "\udcff"],
        ["forget", "\udcff", "--yes"],
    ],
)
def test_argument_that_is_not_utf8_is_wrong_use(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.endswith("Error: An argument is not UTF-8.\n")


@pytest.mark.parametrize("command", ["find", "forget"])
@pytest.mark.parametrize("profile_id", ["", " \u00a0"])
def test_empty_id_is_wrong_use(command: str, profile_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, profile_id]) == 2
    assert "the id is empty" in capsys.readouterr().err


def test_main_in_a_pipe_imports_only_what_it_needs(customers: Path) -> None:
    script = (
        "import sys; from bulk_profiles.cli.main import main; main(['plan', sys.argv[1]]);"
        "print(sorted({'rich', 'boto3', 'requests', 'duckdb', 'smart_open'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, customers], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the threads are counted in /proc")
def test_command_starts_no_threads_of_numpy(customers: Path) -> None:
    """They would take longer to start than a small file, and a process with threads is not safely forked."""
    script = (
        "import os, sys; from bulk_profiles.__main__ import main;"
        "sys.argv = ['bulk-profiles', 'plan', sys.argv[1]]; main();"
        "print(len(os.listdir('/proc/self/task')))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    result = subprocess.run(
        [sys.executable, "-c", script, customers], capture_output=True, text=True, check=True, env=environment
    )
    assert result.stdout.splitlines()[-1] == "1"


def test_main_that_is_interrupted_exits_with_130(
    customers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bulk_profiles.cli.commands.plan.make_plan", interrupt)
    assert main(["plan", str(customers)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_main_wraps_lines_on_a_terminal_only(customers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "60")
    longest = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        main(["plan", str(customers)])
        longest[type(stream)] = max(map(len, stream.getvalue().splitlines()))
    assert longest[Terminal] <= 60 < longest[io.StringIO]


def test_main_writes_to_any_stream(customers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program may have put one in place that cannot be set up."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["plan", str(customers), "--max-rejected-percent", "25"]) == 0
    assert stream.getvalue().startswith("succeeded  customers.csv")


def test_command_without_its_packages_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bulk_profiles.cli.main", None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(gc, "disable", lambda: None)
    with pytest.raises(SystemExit, match=r"is not installed: install it as bulk-profiles\[cli\]"):
        process_main()


def test_every_command_and_every_option_says_what_it_is_for() -> None:
    for name, command in all_commands():
        assert command.help, name
        options = [each for each in command.params if isinstance(each, click.Option)]
        assert [each.name for each in options if not each.help] == [], name


def test_help_has_the_first_sentence_of_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.partition("Commands:")[2].splitlines()]
    context = click.Context(commands)
    names = commands.list_commands(context)
    found = {name: commands.get_command(context, name) for name in names}
    expected = {name: command.get_short_help_str(100) for name, command in found.items() if command}
    assert [line.split(maxsplit=1) for line in lines if line] == [[name, expected[name]] for name in names]


def test_help_loads_no_command() -> None:
    code = "import sys; from bulk_profiles.cli.main import main; main(['--help']); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert {"numpy", "boto3"}.isdisjoint(result.stdout.split())
