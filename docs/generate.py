"""The documents that are made from the code: `python -m docs.generate docs` writes them.

`docs/file-format.md` says what may be dropped and what becomes of it; `docs/feed.schema.json` and
`docs/client.schema.json` are the JSON Schemas of a feed and of a client code's limits; `docs/cost.md` says
what AWS charges; `docs/command-line.md` is the help of every command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import click

from bulk_profiles.accounting.split_verdict import DEFAULT_MAX_REJECTED_PERCENT
from bulk_profiles.budget.client_limits import BOUNDS
from bulk_profiles.cli.cost import PRICES, PRICES_OF, estimate_month
from bulk_profiles.cli.json_fields import FIELDS
from bulk_profiles.cli.main import all_commands
from bulk_profiles.core.feeds import (
    CLIENT_CODE,
    DELIMITERS,
    MOST_SAMPLE,
    CountsOnly,
    Quoting,
    SeparatorInValue,
    ShortRows,
)
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ApiVersion, KeyColumn
from bulk_profiles.core.names import FAILED_ROWS, PASSED_OVER_SUFFIXES, REJECTED_ROWS
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading.header import MAX_COLUMNS, MAX_HEADER_LENGTH
from bulk_profiles.splitting.reading.signatures import Foreign
from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES, Reject, Warn
from bulk_profiles.splitting.rows.notes import NO_BATCH, ROW

_PAGE = """\
# What may be dropped

<!-- Made from the code by `python -m docs.generate docs`. -->

A file is taken for what its content says, whatever its name. Try any file without sending anything:
`bulk-profiles plan FILE`.

| | |
|---|---|
| Formats | text with delimiters (comma, semicolon, tab or pipe), JSON Lines, Parquet, Target's `batch=` |
| Compression | gzip (several members too), zstd, xz (windows up to 64 MiB), bzip2, zip with one file in it |
| Encodings | UTF-8; UTF-16 and UTF-32 with a byte order mark; any other that the feed names |
| Line ends | LF and CRLF, also mixed; CR only where it ends the header; the last line need not have one |
| Key column | `pcId` or `thirdPartyId`, wherever it stands; or the one the feed names |
| Batches | at most {rows:,} rows and {size:,} bytes each, encoded; at most {batches:,} batches a file |

A file that is none of these is rejected with one sentence, which names what it looks like and the remedy:

| The file is | What to do |
|---|---|
{foreign_table}
| compressed twice | compress the table once |
| UTF-8 beyond ASCII, and the feed names another encoding | remove the encoding from the feed |
| a zip file with several files | pack one; what archivers add (`__MACOSX/`, `._name`) does not count |

## The header

- Names are trimmed, and the prefix `profile.`, in any capitals, is taken off, because Target adds it itself.
- Characters that show nothing (U+FEFF, the byte order mark; U+200B to U+200D, U+2060 and their like) are no
  part of a name, in the header and in the feed; a blank such as U+00A0 is a space.
- Every column needs a name of its own: two columns that get the same one reject the file.
- It has at most {columns:,} columns and {header:,} characters.
- A name in capitals or small letters, with or without blanks, punctuation and symbols is one name in
  several spellings; between two digits they count (`Q1_1`, `Q11`). The only column that can be the key in
  any spelling (`third-party-id`, `PCID`; `mbox3rdPartyId` for `thirdPartyId`) is the key, with a warning. A
  column that the feed's `drop`, `keep` or `rename` names in another spelling rejects the file, also where
  both are there. Two spellings that are both sent are a warning.
- Control characters are taken out of a name, with a warning.
- A column without a name is not sent. Columns at the end that have no name are none, and must stay empty.
- Blank lines before it are passed over, and so are byte order marks, also as `ï»¿`, and other characters
  without a width.
- A first line `sep=;` names the delimiter, as spreadsheets do, also in quotes or with delimiters after it.
- It is the first line. A file is rejected if the header comes later, if there is none, if each line is one
  quoted value, or if most of the first rows have another delimiter or line end; the sentence says what was
  found. A delimiter is one character: columns that are separated by several, as in `a||b`, or by spaces, and
  tables that are drawn with lines, reject the file.
- Rows that have one cell more than the header and begin with their numbers, from 0 or 1 on, as R's
  `write.table` and pandas with `index_label=False` write them, reject the file. So do a second and a third
  line of names (types, as ClickHouse writes them, or those of Qualtrics), a header such as `pcId,city;;` that
  was saved with a second delimiter, and lines that end with U+0085, U+2028, U+2029, U+001E or the characters
  `\\n`.
- Names in brackets, in backticks or in quotes that are part of them (`'pcId'`) reject the file. So
  does a column that is sent and whose values are all in single quotes, as SQLite and Python print texts, and
  so do rows such as `A1;1,5` below a header with commas.
- Where a space follows every delimiter of the header (`pcId, city, age`), one space after a delimiter is no
  part of a value.

## Rows

- A value in double quotes may hold delimiters, line breaks and doubled quotes. Quotes inside an unquoted
  value are part of it.
- A record whose quotes are wrong (text after a closing quote, blanks before an opening one) is rejected with
  all its lines: up to the line before the next row with as many cells as the header, or to the line where a
  later quote closes the value. A quoted value that is never closed rejects the file.
- A quoted value that spans lines with as many delimiters as a row is sent, and counted as `swallowed_rows`; a
  line that is neither its first nor its last may have one more or less, and has one at least.
- A return (CR) without a line feed is part of a value, unless one ends the header.
- Blank lines are no rows; nor are lines of nothing but delimiters, blanks and empty quotes.
- A line that repeats the header, in any spelling, as in a file that was put together of several, is no row;
  nor is a line of dashes or equals signs, as sqlcmd writes it below a header, or one with the count of rows,
  such as `(2 rows affected)`. All are counted as warnings. A header with other columns, or in another order,
  rejects the file. A row is taken for a header if its id is the name of a key column (that of
  the file, `pcId` or `thirdPartyId`); if it has such a name elsewhere, and most of its cells, or its id, are
  names of the header; or if it has one after a byte order mark or `batch=`. So it is in JSON Lines, too.
- A row that ends in a header (`A2,Oslo,4thirdPartyId,city,age`) rejects the file: two files were joined
  without a line end between them.
- Empty cells beyond the header are no cells where the header has as many without a name, or where all of the
  first rows have the same number of them, which is counted as `trailing_cells`. Elsewhere the delimiter that
  adds one may stand in a value, and the row is rejected.
- A row with fewer cells than the header is half a record, and
  rejected; with `"shortRows": "fill"` in the feed, and in a `batch=` file, the missing cells are empty.
- A cell of nothing but blanks, characters that nobody sees and NUL is an empty cell. So is `\\N`, and each
  word in the feed's `nullValues`, also with blanks around it. Other words for no value, in capitals or not,
  are sent, and counted as `null_word`: `NULL`, `nil`, `None`, `NaN`, `NaT`, `NA`, `N/A`, `undefined`, `<NA>`,
  `(null)`, `[NULL]`, `(blank)`, `#N/A`, `#REF!`, `#WERT!` and their like. None of these words is an id, nor
  is an error of a spreadsheet in any language, or `####`. Signs and texts that programs write for no value
  (`-`, `--`, `.`, `?`, `#`, `(not set)`, `[object Object]`, `null null`) are counted, too.
- Placeholders that were not filled in (`{{{{city}}}}`, `${{city}}`, `%%city%%`, `*|CITY|*`) are no ids, and
  are counted as `placeholder` in values. An apostrophe before `=`, `+`, `-` or `@`, as programs write it
  against formulas, is counted as `value_apostrophe`.
- Empty cells never clear an attribute in Target; a feed may give them a default, or a tombstone word that
  your audiences understand.
- Every name and every value is percent-encoded once. Other values keep their spaces; those that begin with
  one are counted as `leading_space`.
- Blanks and characters that nobody sees are taken off the ends of an id, and so are `="..."`, `=T("...")`
  and `=` before digits: ` A1` and `A1` are one customer. Inside an id they are counted as `id_invisible`, and
  so are accents that are characters of their own.
  Ids with characters that XML cannot carry are rejected, as no answer of Target
  could name them; so are numbers that a spreadsheet has shortened (`1.23E+15`, not `12E5`; `1E15` is
  counted as `id_exponent`). Dates and times, numbers in groups (`1-Mar`, `1,234,567`), and numbers of 17 to
  22 digits of which most end in two zeros are counted as `id_formatted`.
- A word for a sum or for the end of a table (`Total (12)`, `Gesamtergebnis`, `A1 Total`, `Record count`,
  `TRL` and their like) is no id, nor is `true` or `false`. Nor is an id in quotes that are part of it, one
  as a program prints it (`b'A1'`, `["A1"]`, `ObjectId(65a1)`, `System.Object[]`), a formula (`=A2`), a line
  of HTML, or a comment (`# old`). Ids that begin with `#`, as in `#A1`, are counted as `id_commented`.
- A line that begins an HTML page, as servers send it where an export fails, rejects the file.
- Letters such as `Ã¼` for `ü` were decoded wrongly: they are in no id, and counted as `decoded_twice` in
  values. HTML entities and percent-encoding in ids and values are sent as they are, and counted as
  `encoded_text`; a link may be percent-encoded.
- A backslash means itself. Before a letter such as n or t, a quote or another backslash, and at the end of a
  value, where it may stand before a delimiter or a line break, it is counted as `backslash`: MySQL, Snowflake
  and `COPY` of PostgreSQL write such escapes.
- `="..."`, `=T("...")` and `=` before digits are taken off values, too, and counted as `value_guarded`.
- Where the feed names an encoding such as `cp1252`, a row with UTF-8 in it is rejected as `mixed_encoding`.
- Rows of one id are one row: the last value of each column that is not empty wins, at the place of the first
  row. Rejected rows take no part in that.
- Rows that have an id and no value are skipped, because Target ignores them.
- In JSON Lines, numbers are sent as they are written, `true` and `false` as words, `null` as an empty cell.
  An id may be a whole number (`1001`, `1001.0`, `1.5e3`); `true` and `false` are no ids. Columns that are not
  sent may hold lists and objects.
- In Parquet, times with a time zone are sent in UTC. Only columns that are sent must hold plain values; bytes
  are text if they are UTF-8. An id may be a whole number: a floating-point one below 2^53 (2^24 in 32 bits),
  or a decimal one. NaN and infinities are empty cells, and counted as a warning. Columns of decimals
  with more than 38 digits, as BIGNUMERIC of BigQuery, reject the file.
- In a `batch=` file, what is encoded stays as it is and what should be is encoded; ids are compared decoded.

Every row is accounted for: *read = rejected + merged + skipped + sent*.

## How an import ends

If Target takes every row that is sent, an import ends with one of these words. `bulk-profiles plan` has the
same word for the same file, and exits with 0 for `succeeded` and 1 for the others.

| Status | Meaning |
|---|---|
| `succeeded` | At most {max_rejected_percent} rows of a hundred are rejected, and it is said how many |
| `partial` | More rows are rejected; the others are sent |
| `rejected` | The file cannot be read, or none of its rows can be sent: nothing is sent |

The template's `MaxRejectedPercent`, or the feed's `maxRejectedPercent`, is the limit. What Target does not
take makes an import `partial`, too; if Target takes nothing, the import is `failed`.

## Rejects

A rejected row is not sent: it is in the file [{rejected_rows}](#rows-to-mend), with its line (in Parquet: its
row), code and column. Report, `summary.json` and plan name the first lines of each code of rejects and
warnings, or the columns that a warning is about. If most of the rejected rows are not UTF-8 but could be
Windows-1252, the reason says so, and how to name it.

| Code | What to do |
|---|---|
{reject_table}

## Rows to mend

`{rejected_rows}.csv` has the rejected rows, and `{failed_rows}.csv` those of every profile that was sent or
should have been, and is not known to be updated: `error`, `unknown`, `pending` or `notSent`. Where rows of
one id were merged, it has all of them. Both have the rows as they were dropped, in the file's own columns,
and after these:

| Column | What it says |
|---|---|
| `_line` | The line of the dropped file in which the row starts; in Parquet, its row |
| `_reason` | The code of the reject and its column, as in `empty_id: pcId`; of a failed row, why it failed |
| `_what_to_do` | A sentence |
| `_batch` | The number of the batch; of a rejected row `{no_batch}` |
| `_status` | In `{failed_rows}` only: what became of the profile |

Correct the rows and drop the file into the same feed: columns whose names begin with `_` are never sent,
unless one is the key column, or the feed's `rename` gives it another name. What is not corrected is rejected
again.

- A delimited file keeps its delimiter and its quoting. It becomes UTF-8 with a byte order mark, which goes
  before an encoding that the feed names.
- JSON Lines stay JSON Lines, in files that end in `.jsonl`, with these names as fields. Parquet and `batch=`
  files become JSON Lines, too: these are read again whatever delimiter, quoting or encoding the feed names.
  Of Parquet they have the columns that are sent.
- A row that is not UTF-8 keeps its bytes. A row that cannot be taken apart, such as one whose quotes are
  wrong, is one text in the first column that is not the key; in JSON Lines in the field `{row}`.
- A row with too few or too many cells keeps these, and its notes come right after them.
- Of a row of more than {row_megabytes} MiB there are the notes only.

## Warnings

What is counted here is sent all the same, unless it is said otherwise.

| Code | What it means |
|---|---|
{warning_table}

## Objects beside the files

Not every object in the Drop bucket is a file that was dropped. These are passed over, and only the log of
`split_file` tells why:

- Its name, or that of a folder above it, begins with `_` or `.`, as Hadoop, Spark and Hive name what they
  write beside their files: `_SUCCESS`, `_temporary/0/part-0000`, `.part-0000.crc`. They do not read such
  names either.
- Its name ends in one of these, in small letters or capitals: {suffixes}. They
  belong to the marker of a folder, to a checksum, or to a file that is still being written.
- Its key ends in `/`: the marker of a folder.

A file is `rejected`, with a notice, if it is not below `drop/`, if the folder below `drop/` cannot be the
name of a feed, or if it was deleted before its import began.

## Feeds

A feed is the folder below `drop/` into which a file is dropped; a file that is in no folder there belongs
to `default`. Its name has at most 64 letters, digits, dots, hyphens and underscores, and begins with a letter
or a digit. Its configuration is optional, and so is everything in it; [feed.schema.json](feed.schema.json) is
its JSON Schema.

```json
{example}
```
"""
_COST_PAGE = """\
# What AWS charges

<!-- Made from the code by `python -m docs.generate docs`. -->

For 30 days, in US dollars, with one file a day and everything kept for 30 days: an estimate from the prices
below. `bulk-profiles plan FILE` makes the same estimate for a file.

| Profiles a day | {names} |
|---|{rules}|
{rows}

- *Idle* is what a stack costs without any import: alarms, metrics, the secret and the hourly sweep.
- Nearly all is the Profiles table. With `ProfileResults` `failures` only profiles that are no success are
  written to it, with `none` nothing; the files in S3 always hold every profile.
- A shorter `RetentionDays` makes storage cheaper in proportion.
- `WarmWritesPerSecond` above 4,000 is charged, and in none of these figures: look up DynamoDB's price of warm
  throughput. It is for the write units above what the table takes already, 36,000 from 4,000 to 40,000.

## Assumptions

A row has 100 bytes in the file and 115 encoded; its result has 12 bytes in S3, compressed, and 300 in the
table. A batch takes about eight status checks.

Prices of us-east-1, on demand, without free tiers, as of {prices_of}. Look at AWS's pages before you rely on
them.

| What | US dollars |
|---|--:|
{prices}
"""
_USES = (0, 100_000, 1_000_000, 10_000_000, 100_000_000)  # profiles a day
_COLUMNS = {
    "idle": "Idle",
    "profileResults": "Profiles table",
    "stateMachine": "State machine",
    "functions": "Functions",
    "storage": "S3",
    "transfer": "Transfer",
    "logs": "Logs",
    "total": "Total",
}
_EXAMPLE: Json = {
    "clientCode": "demo",
    "apiVersion": "v2",
    "keyColumn": "thirdPartyId",
    "encoding": "cp1252",
    "delimiter": "semicolon",
    "quoting": "double",
    "shortRows": "reject",
    "nullValues": ["NULL", "n/a"],
    "separatorInValue": "encode",
    "countsOnly": "isolate",
    "verifySample": 300,
    "maxRejectedPercent": 5,
    "mapping": {
        "key": "customer",
        "rename": {"town": "city"},
        "drop": ["internalNote"],
        "constants": {"source": "crm"},
        "defaults": {"city": "unknown"},
        "tombstone": "none",
    },
}


def cost() -> str:
    """Return docs/cost.md."""
    months = {use: estimate_month(use) for use in _USES}
    rows = (
        f"| {use:,} | {' | '.join(f'{month.get(name, 0):,.2f}' for name in _COLUMNS)} |"
        for use, month in months.items()
    )
    return _COST_PAGE.format(
        names=" | ".join(_COLUMNS.values()),
        rules="|".join("--:" for _ in _COLUMNS),
        rows="\n".join(rows),
        prices_of=PRICES_OF,
        prices="\n".join(f"| {what} | {price:.10f}".rstrip("0") + " |" for what, price in PRICES.items()),
    )


_COMMANDS = """\
# The command line

<!-- Made from the code by `python -m docs.generate docs`. -->

`bulk-profiles` needs Python 3.13 or later, on Linux, macOS or Windows. `uvx` and `pipx` run and install it
from a checkout of this repository:

```sh
uvx --from '.[cli]' bulk-profiles --help
pipx install '.[cli]'
```

`plan` and `feeds check FILE` need nothing else. All other commands look at a deployed stack, which they
find by the name of `--stack` or of the variable `BULK_PROFILES_STACK`, with the credentials and the region
of the AWS command line (`AWS_PROFILE`, `AWS_REGION`, `~/.aws/`). They use what CloudFormation says of the
stack, its two tables, its two buckets and its state machine; `pause` and `stop` ask STS who calls. On a
stack that `make run KEEP=1` has left up, they work with the variables that it prints; `make drop`,
`make watch` and others set them.

Completion, in `~/.bashrc` or `~/.zshrc` (for fish: `fish_source`):

```sh
eval "$(_BULK_PROFILES_COMPLETE=bash_source bulk-profiles)"
eval "$(_BULK_PROFILES_COMPLETE=zsh_source bulk-profiles)"
```
"""


def command_line() -> str:
    """Return docs/command-line.md."""
    parts = [_COMMANDS]
    for name, command in all_commands():
        context = click.Context(
            command, info_name=f"bulk-profiles {name}", terminal_width=100, help_option_names=["-h", "--help"]
        )
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
        if name in FIELDS:
            parts.append(_answer(*FIELDS[name]))
    return "\n".join(parts)


def _answer(what: str, fields: Mapping[str, str]) -> str:
    """Return what `--json` prints."""
    table = "".join(f"| `{name}` | {words} |\n" for name, words in fields.items())
    return f"With `--json`: {what}\n" + (f"\n| Field | What it says |\n|---|---|\n{table}" if table else "")


def file_format() -> str:
    """Return docs/file-format.md."""
    limits = Limits()
    return _PAGE.format(
        rows=limits.max_batch_rows,
        size=limits.max_batch_bytes,
        batches=limits.max_batches,
        rejected_rows=REJECTED_ROWS,
        failed_rows=FAILED_ROWS,
        no_batch=NO_BATCH,
        row=ROW,
        row_megabytes=MAX_ROW_BYTES >> 20,
        columns=MAX_COLUMNS,
        header=MAX_HEADER_LENGTH,
        max_rejected_percent=DEFAULT_MAX_REJECTED_PERCENT,
        suffixes=", ".join(f"`{suffix}`" for suffix in PASSED_OVER_SUFFIXES),
        foreign_table="\n".join(f"| {kind} | {kind.remedy} |" for kind in Foreign),
        reject_table="\n".join(f"| `{code}` | {code.help} |" for code in Reject),
        warning_table="\n".join(f"| `{code}` | {code.help} |" for code in Warn),
        example=json.dumps(_EXAMPLE, indent=2),
    )


def feed_schema() -> Json:
    """Return docs/feed.schema.json."""
    names = {"type": "object", "additionalProperties": {"type": "string"}}
    texts = {"type": "array", "items": {"type": "string"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Feed",
        "description": "How the files of one feed are read and sent. Everything is optional.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "clientCode": _text("Target's client code.", pattern=f"^{CLIENT_CODE.pattern}$"),
            "apiVersion": _words("Version of the Bulk Profile Update API.", ApiVersion),
            "keyColumn": _words("What the ids are.", KeyColumn),
            "encoding": _text("A text encoding as Python names it; a byte order mark says more."),
            "delimiter": _text(f"One ASCII character, or one of: {', '.join(DELIMITERS)}."),
            "quoting": _words("Whether double quotes enclose values.", Quoting),
            "shortRows": _words("What becomes of rows with fewer cells than the header.", ShortRows),
            "nullValues": {
                "description": "Cells that say one of these are empty, as \\N always is; blanks around "
                "them do not count.",
                **texts,
            },
            "separatorInValue": _words("What becomes of separators inside values.", SeparatorInValue),
            "countsOnly": _words(
                "What is done where Target counts failures and names no profile.", CountsOnly
            ),
            "verifySample": {
                "type": "integer",
                "minimum": 0,
                "maximum": MOST_SAMPLE,
                "description": "Profiles, chosen at random, that are read back from Target and compared.",
            },
            "maxRejectedPercent": {
                "type": "integer",
                "minimum": 0,
                "maximum": 100,
                "description": "Rejected rows of a hundred above which an import is partial.",
            },
            "mapping": {
                "type": "object",
                "description": "How the columns of a file become attributes.",
                "additionalProperties": False,
                "properties": {
                    "key": _text("The column of the file that has the ids."),
                    "rename": {"description": "Names to send, by the file's names.", **names},
                    "drop": {"description": "Columns that are not sent.", **texts},
                    "keep": {"description": "The only columns that are sent; not with drop.", **texts},
                    "constants": {"description": "Attributes that every row gets.", **names},
                    "defaults": {"description": "Values for empty cells, by the name sent.", **names},
                    "tombstone": _text("A word for empty cells that have no default."),
                },
            },
        },
    }


def client_schema() -> Json:
    """Return docs/client.schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Client code",
        "description": "The budget of one client code. Everything is optional: the stack's parameter of the "
        "same name holds for what is missing.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "callsPerMinute": _whole("Calls to Target in any 60 seconds.", "callsPerMinute"),
            "maxInFlight": _whole("Batches that Target has not finished, at most.", "maxInFlight"),
            "rowsPerDay": _whole("Rows sent in a day, at most; 0 for no limit.", "rowsPerDay"),
            "resetHour": _whole("Hour at which a day of rows begins, in timeZone.", "resetHour"),
            "timeZone": _text("Time zone of resetHour and uploadWindow, by its IANA name."),
            "uploadWindow": _text(
                "When batches may be sent, in timeZone, as 20:00-06:00 or Mon-Fri 20:00-06:00; empty for "
                "always."
            ),
        },
    }


def _whole(description: str, name: str) -> Json:
    least, most = BOUNDS[name]
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def _text(description: str, **more: str) -> Json:
    return {"type": "string", "description": description, **more}


def _words(description: str, words: type[StrEnum]) -> Json:
    return {"enum": [word.value for word in words], "description": description}


def main(folder: Path) -> None:
    """Write the documents."""
    (folder / "file-format.md").write_text(file_format(), encoding="utf-8")
    (folder / "cost.md").write_text(cost(), encoding="utf-8")
    (folder / "command-line.md").write_text(command_line(), encoding="utf-8")
    for name, schema in (("feed", feed_schema()), ("client", client_schema())):
        text = json.dumps(schema, indent=2) + "\n"
        (folder / f"{name}.schema.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
