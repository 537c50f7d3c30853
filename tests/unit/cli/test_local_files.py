"""The source file and the folder of a plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bulk_profiles.cli import plan
from bulk_profiles.cli.local_files import FolderOutput, LocalFile, NoOutput, UsageError
from bulk_profiles.cli.main import main
from bulk_profiles.splitting.split import Split, split


def test_folder_output_never_deletes_the_source_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "batches" / "00001.batch"
    source.parent.mkdir()
    source.write_bytes(b"batch=pcId,a\n1,x\n1,y\n2,z")
    assert main(["plan", str(source), "--out", str(tmp_path)]) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert source.read_bytes().startswith(b"batch=pcId,a\n1,x")


def test_local_file_is_read_from_any_byte(customers: Path) -> None:
    file = LocalFile.of(customers)
    assert (file.name, file.size) == ("customers.csv", customers.stat().st_size)
    with file.open(3) as stream:
        assert stream.read() == customers.read_bytes()[3:]


def test_local_file_that_is_gone_is_wrong_use(customers: Path, tmp_path: Path) -> None:
    file = LocalFile.of(customers)
    customers.unlink()
    with pytest.raises(UsageError, match=r"customers\.csv: No such file or directory\."):
        file.open()
    with pytest.raises(UsageError, match=r"is not a file on a disk"):
        LocalFile.of(tmp_path)


def test_plan_of_a_file_that_changes_meanwhile_is_wrong_use(
    customers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with repeated ids is read more than once: its batches would be of two files."""

    def split_and_change(*args: Any, **kwargs: Any) -> Split:
        result = split(*args, **kwargs)
        os.utime(customers, ns=(0, 0))
        return result

    monkeypatch.setattr(plan, "split", split_and_change)
    assert main(["plan", str(customers), "--out", str(tmp_path / "out")]) == 2
    assert "customers.csv changed while it was read" in capsys.readouterr().err
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_folder_output_keeps_the_first_batches(customers: Path, tmp_path: Path) -> None:
    output = FolderOutput(tmp_path / "out", LocalFile.of(customers))
    for number in (1, 2, 3):
        sink = output.create(f"batches/{number:05d}.batch")
        sink.write(b"x")
        sink.commit()
    output.keep(1)
    assert [file.name for file in (tmp_path / "out" / "batches").iterdir()] == ["00001.batch"]


def test_files_of_a_plan_that_was_killed_are_deleted(customers: Path, tmp_path: Path) -> None:
    """What else stands there is somebody's own."""
    names = ["manifest.json", "rejected-rows.csv", "rejected-rows.jsonl", "batches/00003.batch"]
    own = ["other.partial", "batches/3.batch.partial", "batches/00003.batch.partial.old"]
    (tmp_path / "out" / "batches").mkdir(parents=True)
    for name in [*(f"{name}.partial" for name in names), *own]:
        (tmp_path / "out" / name).write_bytes(b"x")
    output = FolderOutput(tmp_path / "out", LocalFile.of(customers))
    left = {
        str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file()
    }
    assert left == set(own)
    (tmp_path / "out" / "batches" / "00002.batch.partial").write_bytes(b"x")
    output.keep(1)
    assert not (tmp_path / "out" / "batches" / "00002.batch.partial").exists()


def test_no_output_drops_everything() -> None:
    sink = NoOutput().create("manifest.json")
    sink.write(b"x")
    sink.commit()
    sink.abort()
