"""The check of a single row: its fault, if it has one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from .faults import MAX_ID_LENGTH, Fault, Reject, Warn
from .header_names import HeaderNames, Likeness
from .plain import COMMA_MARK, FAULT_MARK, MIXED_MARK, SEPARATORS, mark, read_fault, unmark

# White space of Unicode but for control characters, and what shows nothing: the default ignorable code points
# (the soft hyphen, joiners, marks of direction, fillers, variation selectors, tags, and U+FEFF, which is the
# byte order mark), the braille blank, and the signs of annotations and embedded objects.
_RANGES = (
    "\x85\xa0\xad\u034f\u061c\u115f-\u1160\u1680\u17b4-\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f\U000e0100-\U000e01ef"
)  # as in a class of a regular expression
BLANKS = " \t\n\r" + "".join(
    chr(code)
    for first, last in re.findall("(.)(?:-(.))?", _RANGES)
    for code in range(ord(first), ord(last or first) + 1)
)
_ASCII_BLANKS = BLANKS[:4]  # `strip` looks at all of its signs first, and BLANKS has thousands
_EMPTY = BLANKS + "\0"  # a value of nothing else is none
REPLACEMENT = "\ufffd"  # stands for bytes that could not be decoded
NULL = r"\N"  # what databases write for no value
# What programs, spreadsheets and people write for no value, perhaps, in small letters: NULL, None, NaN, NaT.
NULL_WORDS = frozenset(
    {"null", "nil", "none", "nan", "nat", "na", "n/a", "undefined", "<na>", "<null>", "<nil>", "<none>"}
    | {"(null)", "(nil)", "(none)", "(blank)", "[null]", r"\\n"}
    | {"#na", "#n/a n/a", "-nan", "n.a.", "(empty)", "<empty>"}  # of pandas, C, and people
    | {"(leer)", "(vide)", "(vuoto)", "(en blanco)", "(leeg)"}
    | {"#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!", "#spill!", "#calc!", "#field!"}
    | {"#nv", "#bezug!", "#wert!", "#zahl!", "#n/d", "#valeur!", "#nom?", "#nombre!", "#valor!", "#nome?"}
    | {"#rif!", "#nulo!", "#verw!", "#waarde!", "#naam?", "#getal!", "#adr!", "#arg!", "#nazwa?", "#liczba!"}
)
# That are counted as these are, and may be ids, or have a reason of their own as ids.
_NULL_SIGNS = frozenset(
    # Of SAS; of Teradata; of Db2 and Google Analytics; of SAP BW; of Looker.
    {".", "?", "-", "--", "#", "\u2205"}
    # Of JavaScript and Go; of Google Analytics; of Hive; names that were put together of nothing.
    | {"[object object]", "[object undefined]", "[object null]", "undefined undefined", "%!s(<nil>)"}
    | {"(not set)", "(not provided)", "<blank>", "<unset>", "<undefined>", "__hive_default_partition__"}
    | {"null null", "none none", "nan nan"}
    # Of spreadsheets: errors, and what Excel saves of a column that is too narrow.
    | {"#error!", "#getting_data", "#blocked!", "#connect!", "#busy!", "#unknown!", "#n/v"}
    | {"#" * width for width in range(2, 33)}
)
DOUBTFUL_WORDS = NULL_WORDS | _NULL_SIGNS  # values that are counted
# The first cell of a row with sums, as spreadsheets write it in several languages, or of the last line of a
# file, in small letters.
TOTALS = frozenset(
    {"total", "totals", "grand total", "subtotal", "sub-total", "sum"}
    | {"summe", "gesamt", "gesamtsumme", "gesamtergebnis", "insgesamt", "ergebnis", "teilergebnis"}
    | {"zwischensumme", "zwischenergebnis", "total général", "sous-total", "somme", "total general"}
    | {"suma total", "total geral", "totale", "totale complessivo", "totale generale", "subtotale"}
    | {"totaal", "eindtotaal", "subtotaal", "totalt", "totalsumma", "totalsum", "summa", "hovedtotal"}
    | {"suma", "suma końcowa", "razem", "toplam", "genel toplam", "итого", "общий итог", "всего"}
    | {"合計", "総計", "小計", "合计", "总计", "小计", "總計", "합계", "총합계", "소계"}
    | {"trailer", "eof", "end of file", "end of report", "trl", "tlr", "hdr"}
    | {"record count", "row count", "total records", "total rows", "total count"}
)
# That are no ids, beside those for no value: what programs write for truth and for a number without an end.
ID_WORDS = TOTALS | {"true", "false", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_NO_IDS = NULL_WORDS | ID_WORDS
# Of a word for a sum: `Total:`, `Total (2)`, `Total: Account`.
_AFTER_WORD = re.compile(r"\s*(?::|\([0-9]+\)|:\s*[0-9]+|:\s+\S.*)$")
_SUBTOTAL = re.compile(r".+\s(?:total|ergebnis)", re.IGNORECASE)  # `A1 Total`, as Excel writes subtotals
SUBTOTAL_ENDS = (b"otal", b"bnis")
# What a template or a report has where a value should be: {{customer.id}}, ${id}, #{id}, %%id%%, *|ID|*,
# [[id]], <%= id %>, {% id %}, [object Object], System.Object[], (not set); the formula =A2 or =VLOOKUP(...);
# and a line of HTML, such as PHP's <b>Warning</b>.
PLACEHOLDER = re.compile(
    r"[{][{%].*[}%][}]|[$#][{].*[}]|%%.+%%|[*][|].*[|][*]|\[\[.*\]\]|<%.*%>"
    r"|\[object \w+\]|System\.(?:Object|String|Byte|DBNull|Collections|Data|Management)\b.*"
    r"|\(not (?:set|provided)\)|=\$?[A-Z]+[0-9$(.].*"
    r"|<(?:!--|\?(?:php|xml)\b|!doctype\b).*"
    r"|</?(?:html|head|body|title|meta|link|script|style|div|span|table|thead|tbody|t[rdh]|p|br|b|i|a|hr|h[1-6]"
    r"|pre|font|center|ul|ol|li|form|input|img)(?:[\s/>].*)?",
    re.IGNORECASE | re.DOTALL,
)
# The first line of a page, which a server sends where an export fails on its way.
_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
_COMMENT = re.compile(r"(?:#|--)\s.*", re.DOTALL)  # not #1, which may be an id
PLACEHOLDER_STARTS = b"{$#%*[<("
# What a spreadsheet shows in a column that is too narrow, and its errors in any language.
_NO_VALUE = re.compile(r"##+|#\S+[!?]|Err:[0-9]{3}")
# What keeps a spreadsheet from taking an id for a number: ="00123", =T("00123"), =1001.
GUARDED = re.compile(r'=(?:"([^"]*)"|T\("([^"]*)"\)|([0-9]+))', re.IGNORECASE)
GUARDED_CELL = re.compile(GUARDED.pattern.encode(), re.IGNORECASE)
# What spreadsheets and programs make of a long number: 1.23E+15, 1,23E+15, 1e+16, 1.5E10. But 12E5 and 4E-17
# may be ids.
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*[eE][+-]?|[eE]\+)[0-9]{1,3}")
# A line of dashes between tables, and the count of rows below one, as psql, sqlcmd and SQL*Plus write them.
# A single dash in a row draws no line: it may be an id.
_DASHED_ROW = re.compile(r"[+|:, ]*[-=][+|:, ]*[-=][-=+|:, ]*")
_DASHES = re.compile("[-=]")
_FOOTER_ROW = re.compile(
    r"\s*(?:\([0-9]+ rows?(?:\(s\))?(?: affected| selected)?\)"
    r"|[0-9]+ (?:rows?|record(?:s|\(s\))?) (?:affected|selected|fetched|returned)"
    r"|[0-9]+ rows? in set.*|\\\.|\x1a|\0+)\.?[\s,]*",
    re.IGNORECASE,
)
_BEGINS_NO_ROW = b"-=+|(:\\\x1a\0 0123456789"  # or the first cell of a row
_EXPONENT = re.compile(r"[0-9]{1,3}[eE][1-9][0-9]{1,2}")  # 1E15, as SAS writes it; it may be an id as well
LONGEST_EXPONENT = 7
# What spreadsheets make of 1-3, 3-24 and 1234567: 1-Mar, Mar-24, 1,234,567; and what programs print of times.
# And of 1582917533873852417 they keep 15 digits. Of shorter numbers many end in two zeros by chance, and
# longer ones are hardly numbers.
SPREADSHEET_DIGITS, SHORTEST_ROUNDED, LONGEST_ROUNDED = 15, 18, 22
_FORMATTED = re.compile(
    r"[0-9]{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{2}"
    r"|[12][0-9]{3}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}.*)?"
    r"|[1-9][0-9]{0,2}(?:([,.'\u2019 \xa0\u202f])[0-9]{3})(?:\1[0-9]{3})*"
    rf"|[1-9][0-9]{{{SPREADSHEET_DIGITS - 1}}}"
    rf"0{{{SHORTEST_ROUNDED - SPREADSHEET_DIGITS},{LONGEST_ROUNDED - SPREADSHEET_DIGITS}}}"
)
GROUPING_ENDS = b".' \x99\xa0\xaf" + COMMA_MARK  # the last bytes of what is between two groups of digits
_DECIMAL = re.compile(r"[+-]?[0-9]+[.,]0+")
# What a text in UTF-8 becomes if it is read as Windows-1252: two characters or more for one of ü, ß, » and “.
_DECODED_TWICE = "ï»¿|Ã[\x80-\xbf\u2013-\u2026]|Â[\x80-\xbf]|â€"
_DECODED_WRONGLY = re.compile(f"{REPLACEMENT}|{_DECODED_TWICE}")
# Its bytes in UTF-8: a class in a pattern of bytes would be one of single bytes.
DECODED_TWICE = re.compile(b"\xc3[\x82\x83]\xc2[\x80-\xbf]|\xc3\x83\xe2\x80[\x93-\xa6]|\xc3\xa2\xe2\x82\xac")
# In quotes that enclose no value of a CSV file, or in double quotes that were doubled once too often. And as
# programs print values: b'A1', ObjectId(65a1), UUID('0a1b'), np.int64(5), ["A1"], {'id': 'A1'}, ('A1',).
_IN_OTHER_QUOTES = re.compile(
    r"(?:ObjectId|UUID|Decimal|Timestamp|bytearray|Number(?:Long|Int|Decimal)|(?:np|numpy|datetime)\.\w+)\(.*\)"
    r"|\[\s*[\"'].*\]|\{\s*[\"'].*\}|\(\s*[\"'].*\)"
    "|[bu]?'[^']+'|`[^`]+`|\"[^\"]+\"|[\u2018\u201a][^\u2018\u2019]+[\u2018\u2019]|[\u201c\u201e][^\u201c\u201d]+[\u201c\u201d]"
    "|\xab[^\xbb]+\xbb"
)
# XML 1.0 has no character for most of these, and reads the others as a space or a line feed.
_UNNAMEABLE = re.compile(
    "[\0-\x1f\x7f-\x9f\ufffd\ufffe\uffff]|" + _DECODED_TWICE
)  # nor does anybody see U+007F to U+009F
_INVISIBLE = re.compile(f"[{_RANGES}]")
_NOT_IDS = (
    (PLACEHOLDER, Reject.PLACEHOLDER_ID),
    (_IN_OTHER_QUOTES, Reject.ID_QUOTED),
    (_COMMENT, Reject.COMMENT_ROW),
)


class Surplus(NamedTuple):
    """How many empty cells rows may have beyond the columns."""

    header: int = 0  # as many as that: the header has them, too
    rows: int = 0  # exactly as many: all of the first rows have them; 0: none


NO_SURPLUS = Surplus()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the rows of one file must satisfy."""

    width: int  # cells in a row
    key: int  # number of the key column
    third_party_id: bool  # in a thirdPartyId, Target forbids + and /
    short_rows: bool = False  # a row may have fewer cells: the others are empty
    surplus: Surplus = NO_SURPLUS  # cells beyond the columns
    blank_rows: bool = False  # a row without anything but blanks is a row, and no blank line
    reject_separators: bool = False  # no separator in a value
    nulls: frozenset[str] = frozenset({NULL})  # cells that say so are empty
    plain_ids: bool = False  # no separator in an id: replaced in values, it would make another id
    header: HeaderNames | None = None  # that may come again

    @property
    def not_sent(self) -> frozenset[int]:
        """The numbers of the columns that are not sent: whatever their values are, it does no harm."""
        return self.header.not_sent if self.header else frozenset()


# The row, or its fault; a header after which the file cannot be read on; None for a line that is no row.
type CheckedRow = tuple[bytes | Fault | Likeness | None, tuple[Warn, ...]]


class CheckedId(NamedTuple):
    """An id as it is sent, or why it cannot be."""

    text: str
    reason: Reject | None = None
    warnings: tuple[Warn, ...] = ()


def check_id(text: str, rules: Rules) -> CheckedId:
    """Check an id, without the blanks around it.

    Nor is `="..."`, `=T("...")` or `=` a part of it, with which exports keep a spreadsheet from taking it
    for a number.
    """
    plain = text.strip(_ASCII_BLANKS if text.isascii() else BLANKS)
    guarded = GUARDED.fullmatch(plain)
    if guarded:
        plain = "".join(guarded.groups("")).strip(BLANKS)
    reason = _id_reason(plain, rules)
    if reason:
        return CheckedId(plain, reason)
    warnings: tuple[Warn, ...] = () if plain == text else (Warn.ID_TRIMMED,)
    if plain.startswith("'"):
        warnings += (Warn.ID_APOSTROPHE,)
    if plain.startswith("#"):
        warnings += (Warn.ID_COMMENTED,)
    if not plain.isascii() and (_INVISIBLE.search(plain) or not unicodedata.is_normalized("NFC", plain)):
        warnings += (Warn.ID_INVISIBLE,)
    if _DECIMAL.fullmatch(plain):
        warnings += (Warn.ID_DECIMAL,)
    if _EXPONENT.fullmatch(plain):
        warnings += (Warn.ID_EXPONENT,)
    if _FORMATTED.fullmatch(plain):
        warnings += (Warn.ID_FORMATTED,)
    return CheckedId(plain, None, warnings)


def _id_reason(text: str, rules: Rules) -> Reject | None:
    is_total = _AFTER_WORD.sub("", text).lower() in TOTALS or _SUBTOTAL.fullmatch(text) is not None
    is_word = text in rules.nulls or text.lower() in _NO_IDS
    if is_total or is_word or not visible(text) or _NO_VALUE.fullmatch(text):
        return Reject.TOTAL_ROW if is_total else Reject.EMPTY_ID
    for pattern, reason in _NOT_IDS:
        if pattern.fullmatch(text):
            return reason
    if len(text) > MAX_ID_LENGTH or _SCIENTIFIC.fullmatch(text):
        return Reject.ID_TOO_LONG if len(text) > MAX_ID_LENGTH else Reject.ID_NUMBER
    if (rules.third_party_id and ("+" in text or "/" in text)) or _UNNAMEABLE.search(text):
        return Reject.ID_DECODED if _DECODED_WRONGLY.search(text) else Reject.ID_CHARACTER
    if rules.plain_ids and any(sign in text for sign in ',"\n\r'):
        return Reject.SEPARATOR_IN_VALUE
    return None


def fit_row(row: bytes, rules: Rules) -> CheckedRow:
    """Return a plain row with one cell for each column, or its fault, or None if it is none.

    Empty cells beyond the last column are no cells, where the rules allow for them.
    """
    if row.startswith(FAULT_MARK):
        return Fault(*read_fault(row)), ()
    cells = row.split(b",")
    if not _is_utf8(row):
        number = next(number for number, cell in enumerate(cells) if not _is_utf8(cell))
        reason = Reject.MIXED_ENCODING if MIXED_MARK in cells[number] else Reject.INVALID_UTF8
        return Fault(reason, number if number < rules.width else None), ()
    if _PAGE.match(row):
        return Likeness.PAGE, ()
    return _header_or_blank(row, cells, rules) or _fitted(cells, rules)


def _header_or_blank(row: bytes, cells: list[bytes], rules: Rules) -> CheckedRow | None:
    header = rules.header
    if header and (header.may_have_key(row) or header.has_long_name(cells)):
        if likeness := header.likeness(cells):
            return header_row(likeness)
        if header.joined(cells):
            return Likeness.JOINED, ()
    passed_over = None if rules.blank_rows else no_row(row, cells[0])
    return None if passed_over is None else (None, passed_over)


def _fitted(cells: list[bytes], rules: Rules) -> CheckedRow:
    surplus = len(cells) - rules.width
    if surplus < 0 and not rules.short_rows:
        return Fault(Reject.TOO_FEW_CELLS), ()
    fits = surplus <= rules.surplus.header or surplus == rules.surplus.rows
    beyond = (visible(unmark(cell).decode()) for cell in cells[rules.width :])
    if not fits or any(text and text not in rules.nulls for text in beyond):
        return Fault(Reject.TOO_MANY_CELLS), ()
    warnings = (Warn.TRAILING_CELLS,) if surplus > rules.surplus.header else ()
    return b",".join(cells[: rules.width]) + b"," * -surplus, warnings


def check_row(row: bytes, checked: CheckedId, rules: Rules) -> CheckedRow:
    """Check a plain row that has one cell for each column, and whose id was checked.

    Returns the row with its id as it is sent, or its fault, or None if it is a blank line; and the warnings
    of its id.
    """
    text, reason, warnings = checked
    passed_over = None if rules.blank_rows else no_row(row, text.encode())
    if passed_over is not None:
        return None, passed_over
    if reason:
        return (Likeness.PAGE if _PAGE.match(row) else Fault(reason, rules.key)), ()
    cells = row.split(b",")
    if rules.reject_separators:
        for number, cell in enumerate(cells):
            if cell.translate(None, SEPARATORS) != cell and number not in rules.not_sent:
                return Fault(Reject.SEPARATOR_IN_VALUE, number), ()
    cells[rules.key] = mark(text.encode())
    return b",".join(cells), warnings


def header_row(likeness: Likeness) -> CheckedRow:
    """Return the result for a row that is a header."""
    return (None, (Warn.REPEATED_HEADER,)) if likeness is Likeness.REPEATED else (likeness, ())


def visible(text: str) -> str:
    """Return a value without blanks, invisible characters and NUL at its ends."""
    return text.strip(_ASCII_BLANKS + "\0" if text.isascii() else _EMPTY)


def no_row(row: bytes, first: bytes) -> tuple[Warn, ...] | None:
    """Return the warnings of a plain row that is none: blank, or a part of a printed table.

    None: it is a row. `first` is its id, or its first cell.
    """
    if is_blank(row):
        return ()
    if first[:1] not in _BEGINS_NO_ROW:
        return None
    text = row.decode(errors="replace")
    if _DASHES.search(first.decode(errors="replace")) and _DASHED_ROW.fullmatch(text):
        return (Warn.DASHED_LINE,)
    return (Warn.FOOTER,) if _FOOTER_ROW.fullmatch(text) else None


def is_footer(line: bytes) -> bool:
    """Whether a line of one cell ends a table."""
    likely = b" row" in line or line == b"\\."
    return likely and _FOOTER_ROW.fullmatch(line.decode(errors="replace")) is not None


def is_blank(cells: bytes) -> bool:
    """Whether some cells of a plain row hold nothing but blanks and characters that nobody sees."""
    rest = cells.translate(None, b", \t")
    return not rest or (not rest.isascii() and not unmark(rest).decode().strip(BLANKS))


def _is_utf8(cells: bytes) -> bool:
    try:
        unmark(cells).decode()
    except UnicodeDecodeError:
        return False
    return True
