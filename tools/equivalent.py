"""Changes of mutation testing that no test can notice, as they are the same to a user, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A change of a function that makes no difference."""

    module: str  # e.g. `aws.s3`
    function: str  # e.g. `Sink.abort`
    change: str  # the new lines, each stripped, in one line
    reason: str


EQUIVALENT = (
    Equivalent(
        "aws.s3",
        "Storage.__init__",
        "self._pool = ThreadPoolExecutor(None)",
        "A sink waits for its parts once there are so many in flight, whatever the pool would take.",
    ),
    Equivalent(
        "cli.commands.probe",
        "_account",
        "(lambda _: 0) if quiet else (lambda line: click.echo(line, err=True)),",
        "What it returns is not read.",
    ),
    Equivalent(
        "probing.account",
        "Account.submit",
        'return self._call("post", url, token or self.token, seconds, sent)',
        "The HTTP client writes methods in capital letters.",
    ),
    Equivalent(
        "core.names",
        "results_prefix",
        'names = (feed_name(key), key.rsplit("/", )[-1])',
        "The last part is the same.",
    ),
    Equivalent(
        "core.text",
        "spelling_key",
        "between = None",
        "None is as false.",
    ),
    Equivalent(
        "probing.account",
        "Account._wait",
        "if paced and self._next is not None and self._next >= now:",
        "A wait of no time is none.",
    ),
    Equivalent(
        "splitting.files",
        "TemporaryScratch.create",
        'self._folder = tempfile.TemporaryDirectory(prefix="SPLIT-")',
        "The folder may have any name.",
    ),
    Equivalent(
        "splitting.helpers",
        "help_with",
        "taken_apart = None",
        "Who has asked for help then reads the text without it: only the time differs.",
    ),
    Equivalent(
        "splitting.selection",
        "WantedIds.__init__",
        "for cell, n in zip(cells, places, strict=None)",
        "Each cell has a place.",
    ),
    Equivalent(
        "splitting.source_digest",
        "DigestingSource.open",
        'return cast("BINARYIO", _DigestingStream(self, self._source.open(start), start))',
        "A cast is for the type checker.",
    ),
    Equivalent(
        "splitting.helpers",
        "help_with",
        'return b"XXXX", None',
        "What stands beside None is not read.",
    ),
    Equivalent(
        "splitting.job",
        "Job.__init__",
        "self._out_of_time = out_of_time or (lambda: None)",
        "None is as false.",
    ),
    Equivalent(
        "splitting.job",
        "Job._task",
        "return draft, not self._repeats.found if (draft) or True else self._progress.phase is Phase.FINAL",
        "Rows that a helper did not encode are encoded where they are written: only the time differs.",
    ),
    Equivalent(
        "splitting.batches.cutter",
        "Cutter.__init__",
        'self._sink: Sink | None = ""',
        "The next line sets it.",
    ),
    Equivalent(
        "splitting.batches.external_sort",
        "_part",
        'numbers = np.concatenate((rows.keys, rows.ordinals)).astype("<u8", copy=True)',
        "A copy has the same bytes.",
    ),
    Equivalent(
        "splitting.batches.repeated_ids",
        "RepeatFinder.finish",
        "repeated.add(_repeated(np.sort(np.concatenate(pieces), kind=None)))",
        "It sorts as well, in more time.",
    ),
    Equivalent(
        "splitting.batches.repeated_ids",
        "RepeatFinder._repeated",
        "high = (hashes << np.uint64(32)).astype(np.uint32)",
        "All hashes are then sorted as a whole, in more time.",
    ),
    Equivalent(
        "splitting.parallel.processes",
        "_serve",
        "os._exit(1)  # without the exit handlers that the fork has from its parent",
        "Nobody reads the exit status of a helper.",
    ),
    Equivalent(
        "splitting.reading.block_parser",
        "BlockParser.sound_length",
        "return max(text.rfind(end, 0, min(wrong)) for end in self._dialect.ends) + 1 if wrong else 1",
        "Its caller makes no block of so few bytes.",
    ),
    Equivalent(
        "splitting.reading.json_lines",
        "_last_line_end",
        'return max(data.rfind(b"\\n"), data.rfind(b"\\r", 0, len(data) - 2)) + 1',
        "The line waits for one more byte.",
    ),
    Equivalent(
        "splitting.reading.json_lines",
        "_sentinel",
        "return _IS_SENTINEL if (constant.encode() == _SENTINEL) or True else _refuse(constant)",
        "With another object than a text among the cells, the lines are read one by one.",
    ),
    Equivalent(
        "splitting.reading.mendable",
        "_text",
        "return json.dumps(value, ensure_ascii=None)",
        "None is as false.",
    ),
    Equivalent(
        "splitting.rows.header_names",
        "HeaderNames.may_have_key",
        "return any(end not in folded for end in self._ends)",
        "It only saves a closer look at most rows.",
    ),
    Equivalent(
        "splitting.rows.id_hashes",
        "_has_byte",
        "return ((differing - _ONES) & ~differing | _HIGHS) != 0",
        "It only saves a closer look at most ids.",
    ),
    Equivalent(
        "splitting.rows.suspects",
        "_holding_odd",
        "spans = zip(starts.tolist(), (starts + grid.id_sizes[places]).tolist(), strict=False)",
        "Each id has a start and a size.",
    ),
    Equivalent(
        "steps.attempt_results",
        "_results",
        "sent_again = next(ids, )",
        "No body is without a row.",
    ),
    Equivalent(
        "steps.last_answers",
        "keep_answer",
        'storage.write(_key(batch), to_bytes(answer), "APPLICATION/GZIP")',
        "Media types are the same in capital letters.",
    ),
    Equivalent(
        "steps.slots",
        "Slots.withdraw",
        "self._ledger.change_budget(self._client_code, None, give_back)",
        "The time is for items that expire, and a budget never does.",
    ),
    Equivalent(
        "target.answers",
        "read_receipt_response",
        'raise UnusableAnswerError("XXcontradicts itselfXX")',
        "Who reads a receipt says only that it is neither a yes nor a no.",
    ),
    Equivalent(
        "target.flat_reader",
        "read_flat",
        "head = list(itertools.islice(words, None))",
        "The words after the head follow it in either case: only the memory differs.",
    ),
    Equivalent(
        "target.http",
        "_Deadline.__init__",
        "self.passed = None",
        "None is as false.",
    ),
    Equivalent(
        "target.xml_parser",
        "Parser.__init__",
        "self._expat.buffer_text = None",
        "Texts then come in pieces, which are put together.",
    ),
    Equivalent(
        "target.xml_reader",
        "_XmlReader._is_outside_comments",
        "start = self._waiting.rfind(_COMMENT_START, 0, )",
        "Behind a comment that begins later, the profile waits for more.",
    ),
)
