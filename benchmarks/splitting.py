"""Splitters side by side: `make bench`, or `python -m benchmarks.splitting [--rows N] [--peers PYTHON]`.

Print a Markdown table for each kind of file: CPU seconds (user and system, with children), wall seconds, MB
of source per CPU second, the ratios to the naive splitter and to `cat`, and peak memory. The splitters take
turns, and the fastest run of each counts. If no id repeats, our batches must equal the naive ones.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PEERS = ("polars", "duckdb", "pandas")
FIRST = ("José", "Zoë", "Ana-Lúcia", "Łukasz", "Anna", "John", "Mary", "Peter", "Noël", "Sam")
LAST = ("García", "Müller", "Ñandú", "Smith", "O'Brien", "Nowak", "Brown", "Sørensen", "Lee", "Dupont")
CITIES = ("São Paulo", "Paris", "München", "New York", "Łódź", "Oslo", "Rome", "Berlin")


@dataclass(frozen=True)
class Measure:
    cpu: float  # seconds
    wall: float  # seconds
    peak: float  # MiB


def crm(rows: int) -> Iterator[str]:
    """Yield a CRM export: quoted values with commas, accents, e-mail addresses."""
    choose = random.Random(7)  # noqa: S311 not a secret, but the same file every time
    yield "thirdPartyId,name,email,city,segment,score,updated,notes\n"
    for number in range(rows):
        first, last = choose.choice(FIRST), choose.choice(LAST)
        name = f'"{last}, {first}"' if number % 4 == 0 else f"{first} {last}"
        notes = '"Likes ""x"" & y"' if number % 10 == 0 else "called twice last month"
        yield (
            f"{number:09d},{name},c{number}@example.com,{choose.choice(CITIES)},gold,{number % 100},"
            f"2024-0{number % 9 + 1}-1{number % 9}T10:00:00Z,{notes}\n"
        )


def plain(rows: int) -> Iterator[str]:
    """Yield a file with nothing to encode and no quotes."""
    yield "thirdPartyId,a,b,c,d,e,f,g\n"
    for number in range(rows):
        yield (
            f"{number:09d},alpha{number % 977},beta-{number % 31},{number * 7},{number % 13},gold_tier,"
            f"2024-01-{number % 28 + 1:02d},active-subscriber-{number % 7}-since-{number % 12}\n"
        )


def wide(rows: int) -> Iterator[str]:
    """Yield a file with 300 columns."""
    yield "thirdPartyId," + ",".join(f"attribute{column}" for column in range(299)) + "\n"
    cells = [
        f"v{number}" if number % 5 else "São Paulo" if number % 50 == 0 else "x y" for number in range(600)
    ]
    for number in range(rows // 30):
        yield f"{number:09d},{','.join(cells[number % 300 : number % 300 + 299])}\n"


def quote_all(rows: int) -> Iterator[str]:
    """Yield the CRM export with every value in quotes."""
    for line in crm(rows):
        if '"' not in line:
            yield '"' + line.rstrip("\n").replace(",", '","') + '"\n'


def repeated(rows: int) -> Iterator[str]:
    """Yield a file in which one id in a hundred occurs twice."""
    for number, line in enumerate(plain(rows)):
        yield f"{number // 2:09d}{line[9:]}" if number % 100 == 1 else line


KINDS: dict[str, Callable[[int], Iterator[str]]] = {
    "CRM export": crm,
    "nothing to encode": plain,
    "300 columns": wide,
    "every value quoted": quote_all,
    "1 % of ids repeated": repeated,
}


def command(name: str, source: Path, folder: Path, peers: str) -> list[str | Path]:
    """Return the command of one splitter; `peers` is a Python that has the packages of the peers."""
    plan = (Path(sys.executable).with_name("bulk-profiles"), "plan", source, "--out", folder)
    match name:
        case "ours":
            return [*plan]
        case "ours, 1 process":
            return [*plan, "--processes", "1"]
        case "split":  # cuts lines, and nothing else: the lower bound of anything that writes batches
            return ["split", "--line-bytes=49999999", source, folder / "x"]
        case "cat":
            return ["cat", source]
    python = peers if name in PEERS else sys.executable
    return [python, "-m", "benchmarks.splitters", name, source, folder]


def measure(name: str, source: Path, folder: Path, peers: str) -> Measure:
    """Run one splitter with its output in a file, which makes `cat` a copy."""
    started = time.perf_counter()
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(command(name, source, folder, peers), stdout=printed)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} failed")
    wall = time.perf_counter() - started
    return Measure(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def compare(source: Path, names: list[str], rounds: int, peers: str) -> dict[str, Measure]:
    """Run the splitters in turns and return the fastest run of each; compare their batches."""
    best: dict[str, Measure] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=source.parent) as place:
            for name in names:
                folder = Path(place) / name
                folder.mkdir()
                run = measure(name, source, folder, peers)
                best[name] = min(run, best.get(name, run), key=lambda item: item.cpu)
            check_batches(Path(place))
    return best


def check_batches(place: Path) -> None:
    """Exit if the batches of the naive splitter, or of ours in one process, differ from ours."""
    naive, ours, alone = (place / name / "batches" for name in ("naive", "ours", "ours, 1 process"))
    for other in (naive, alone):
        names = sorted(path.name for path in other.glob("*"))
        if other is naive and "repeated" in place.parent.name:
            continue
        _, differing, missing = filecmp.cmpfiles(other, ours, names, shallow=False)
        if differing or missing:
            raise SystemExit(f"the batches differ: {differing or missing}")


def show(kind: str, source: Path, best: dict[str, Measure]) -> None:
    """Print the table of one kind of file."""
    size = source.stat().st_size / 1e6
    print(f"\n### {kind}, {size:,.0f} MB\n")
    print("| | CPU s | wall s | MB per CPU s | x naive | of cat | peak MiB |\n|---|---|---|---|---|---|---|")
    for name, run in best.items():
        ratio = f"{best['naive'].cpu / run.cpu:.1f}" if "naive" in best else ""
        of_cat = f"{best['cat'].cpu / run.cpu:.3f}" if "cat" in best else ""
        print(
            f"| {name} | {run.cpu:.2f} | {run.wall:.2f} | {size / run.cpu:.0f} | {ratio} | {of_cat} "
            f"| {run.peak:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", choices=[*KINDS], action="append")
    parser.add_argument("--peers", default="", help="a Python that has polars, duckdb and pandas")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    names = ["ours", "ours, 1 process", "naive", *(PEERS if options.peers else ()), "split", "cat"]
    with tempfile.TemporaryDirectory() as place:
        for kind in options.kind or KINDS:
            source = (
                Path(place) / "repeated" / "source.csv" if "repeated" in kind else Path(place) / "source.csv"
            )
            source.parent.mkdir(exist_ok=True)
            with source.open("w", encoding="utf-8") as stream:
                stream.writelines(KINDS[kind](options.rows))
            show(kind, source, compare(source, names, options.rounds, options.peers))


if __name__ == "__main__":
    main()
