"""The codes of rejects and warnings, each with its sentence of help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

MAX_ID_LENGTH = 256
LONG_ID_LENGTH = 128
LONG_VALUE_LENGTH = 256
MAX_ROW_BYTES = 4 * 1024 * 1024


class _Code(StrEnum):
    """A code with a sentence of help."""

    help: str

    def __new__(cls, word: str, sentence: str = "") -> Self:
        """Make the member `word`, whose `help` is `sentence`."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.help = sentence
        return member


class Reject(_Code):
    """Why a row cannot be sent."""

    EMPTY_ID = "empty_id", "The row has no id: fill in the key column."
    ID_CHARACTER = (
        "id_character",
        "Target forbids + and / in a thirdPartyId, and no answer of Target can name control characters: use "
        "an id without them.",
    )
    ID_DECODED = (
        "id_decoded",
        "The id holds U+FFFD, or letters such as Ã¼ for ü: its bytes were decoded wrongly. Export the file "
        "again.",
    )
    ID_QUOTED = (
        "id_quoted",
        "The id is in quotes that are part of it, or as a program prints it, such as b'A1', [\"A1\"] or "
        "ObjectId(...): export the table with double quotes around values, once, and the id as text.",
    )
    PLACEHOLDER_ID = (
        "placeholder_id",
        "The id is a placeholder that was not filled in, such as {{customer.id}} or [object Object], a "
        "formula, or a line of HTML: mend the export.",
    )
    COMMENT_ROW = (
        "comment_row",
        "The id begins with # or -- and a blank, as a comment does: remove the row.",
    )
    ID_TOO_LONG = "id_too_long", f"The id has more than {MAX_ID_LENGTH} characters: Target does not keep it."
    TOTAL_ROW = (
        "total_row",
        "The id is a word for a sum or for the end of a table, such as Total: remove the row.",
    )
    ID_NUMBER = (
        "id_number",
        "The id is a number that is not whole, or that a spreadsheet or an export has shortened: format the "
        "column as text.",
    )
    TOO_FEW_CELLS = (
        "too_few_cells",
        "The row has fewer cells than the header: quote values with line breaks (the row above may have lost "
        'the end of its last value here), or set "shortRows": "fill" in the feed if empty cells at the end '
        "of a row are left out.",
    )
    TOO_MANY_CELLS = (
        "too_many_cells",
        "The row has more cells than the header, empty ones among them: quote values with delimiters.",
    )
    INVALID_UTF8 = (
        "invalid_utf8",
        "The row is not UTF-8: save it as UTF-8, or name its encoding in the feed, as in "
        '"encoding": "cp1252". In JSON, it may have half of a pair such as \\ud83d: write both halves.',
    )
    MIXED_ENCODING = (
        "mixed_encoding",
        "The row has UTF-8 in it, and the feed names another encoding: write all rows in one encoding.",
    )
    BAD_QUOTE = (
        "bad_quote",
        "A quote stands where none may: double the quotes inside a quoted value, put no blank before its "
        'first quote, write %22 in a batch= file, or set "quoting": "none" in the feed.',
    )
    BAD_ESCAPE = "bad_escape", "A % is not followed by two hexadecimal digits: write it as %25."
    BAD_JSON = (
        "bad_json",
        "The line is not one JSON object, or has a name twice: write one object per line, each name once.",
    )
    NESTED_VALUE = (
        "nested_value",
        "A value is a list or an object: only text, numbers, booleans and null are sent.",
    )
    SEPARATOR_IN_VALUE = (
        "separator_in_value",
        "A comma, a quote or a line break in a value, which the feed rejects, or in an id, where the feed "
        "replaces them: remove it.",
    )
    ROW_TOO_LARGE = (
        "row_too_large",
        f"The row has more than {MAX_ROW_BYTES >> 20} MiB, or does not fit in a batch: shorten its values.",
    )


class Warn(_Code):
    """What is sent, although it may not be meant."""

    LONG_ID = "long_id", f"Ids of more than {LONG_ID_LENGTH} characters: Target may not keep them."
    LONG_VALUE = (
        "long_value",
        f"Values of more than {LONG_VALUE_LENGTH} characters: they work badly in audiences.",
    )
    SEPARATOR_IN_VALUE = (
        "separator_in_value",
        "Values with a comma, a quote or a line break: it is not known whether Target takes them apart.",
    )
    CONTROL_CHARACTER = (
        "control_character",
        "Values with control characters: they are sent encoded. U+0080 to U+009F may be quotes and dashes of "
        'Windows-1252 that was read as ISO-8859-1: its name is "cp1252".',
    )
    ID_TRIMMED = (
        "id_trimmed",
        'Ids with blanks, with characters that nobody sees, or with ="...", =T("...") or = around them: '
        "these were removed.",
    )
    VALUE_GUARDED = (
        "value_guarded",
        'Values with ="...", =T("...") or = around them, which keeps a spreadsheet from changing them: these '
        "were removed.",
    )
    ID_INVISIBLE = (
        "id_invisible",
        "Ids with a character inside that nobody sees, a blank beyond ASCII, or an accent that is a "
        "character of its own: another id looks the same.",
    )
    REPLACEMENT_CHARACTER = (
        "replacement_character",
        "Values with U+FFFD, which stands for bytes that were decoded wrongly: export the file again.",
    )
    DECODED_TWICE = (
        "decoded_twice",
        "Values with letters such as Ã¼ for ü, whose bytes were decoded wrongly: export the file again.",
    )
    ENCODED_TEXT = (
        "encoded_text",
        "Ids and values with HTML entities or percent-encoding (%20): they are sent as they are. If "
        "they are not meant so, export the table without that encoding.",
    )
    BACKSLASH = (
        "backslash",
        "Ids and values with a backslash at the end, or before n, t, r, 0, u, a quote or another backslash: "
        "they are sent as they are. If these are escapes, export the table as CSV with doubled quotes and "
        "without escapes.",
    )
    ID_APOSTROPHE = (
        "id_apostrophe",
        "Ids that begin with an apostrophe, as spreadsheets mark text: remove it if it is no part of them.",
    )
    ID_COMMENTED = (
        "id_commented",
        "Ids that begin with #, as lines do that are commented out: remove the rows if they are.",
    )
    ID_DECIMAL = (
        "id_decimal",
        "Ids that are numbers ending in .0: an export may have added that; format the column as text.",
    )
    ID_EXPONENT = (
        "id_exponent",
        "Ids such as 1E15, which may be numbers that an export has shortened: format the column as text.",
    )
    ID_FORMATTED = (
        "id_formatted",
        "Ids that look like a date, or like a number whose digits are in groups or were rounded (1-Mar, "
        "1,234,567, 1582917533873850000), as spreadsheets make them of ids: format the column as text.",
    )
    NULL_WORD = (
        "null_word",
        "Values that are a word or a sign for no value (NULL, nil, None, NaN, NaT, N/A, undefined, (blank), "
        "#REF!, [object Object], -, ? and their like, in capitals or not): if it means an empty cell, name "
        'it in the feed, as in "nullValues": ["NULL"].',
    )
    LEADING_SPACE = (
        "leading_space",
        "Values that begin with a space: they are sent with it, and no audience that names the value without "
        "it has them. If it is no part of them, export the table without it.",
    )
    VALUE_APOSTROPHE = (
        "value_apostrophe",
        "Values with an apostrophe before =, +, - or @, which keeps a spreadsheet from taking them for "
        "formulas: they are sent with it. If it is no part of them, export the table without it.",
    )
    PLACEHOLDER = (
        "placeholder",
        "Values that are a placeholder of a template, such as {{city}}, ${city} or %%city%%, which was not "
        "filled in, or a list that was not written out (System.String[]): mend the export.",
    )
    PLUS_SIGN = "plus_sign", "Values with a raw + in a file that is encoded already: Target stores a space."
    SPACE_AFTER_DELIMITER = (
        "space_after_delimiter",
        "Values that followed a delimiter and a space, as in the header: that one space was removed.",
    )
    SWALLOWED_ROWS = (
        "swallowed_rows",
        "Quoted values that span lines with as many delimiters as a row: a quote may be missing; set "
        '"quoting": "none" in the feed if quotes do not enclose values.',
    )
    TRAILING_CELLS = (
        "trailing_cells",
        "Rows with empty cells beyond the header, as all of the first rows have them: they are no cells.",
    )
    REPEATED_HEADER = (
        "repeated_header",
        "Lines that repeat the header, as in a file that was put together of several: they are no rows.",
    )
    DASHED_LINE = (
        "dashed_line",
        "Lines of dashes or equals signs, as sqlcmd writes them below the header: they are no rows.",
    )
    FOOTER = (
        "footer",
        "Lines with the count of rows, such as (2 rows affected), or the end of a file: they are no rows.",
    )
    NOT_A_NUMBER = (
        "not_a_number",
        "NaN and infinities in Parquet columns of floating-point numbers: they are empty cells.",
    )
    NO_VALUES = "no_values", "Rows without any value: Target ignores them, so they are skipped."
    PREFIX_STRIPPED = "prefix_stripped", "Columns named with the prefix profile., which Target adds itself."
    V1_THIRD_PARTY_ID = "v1_third_party_id", "API version v1 with thirdPartyId is doubtful: use v2, or pcId."
    KEY_SPELLING = (
        "key_spelling",
        "The key column is spelled in another way than the feed or Target spells it: no other can be meant.",
    )
    LOOK_ALIKE = "look_alike", "Columns that look like a key column and are sent as attributes."
    TWO_SPELLINGS = (
        "two_spellings",
        "Columns that are sent as two attributes, and whose names are one name in two spellings.",
    )
    CONTROL_IN_NAME = (
        "control_in_name",
        "Columns with control characters in their names: these were removed from the names.",
    )
    UNKNOWN_COLUMN = "unknown_column", "Columns that the feed's mapping names and the file does not have."
    WRITER_COLUMN = (
        "writer_column",
        "Columns that a program added or named when it wrote the table, such as city.1 beside city: they are "
        "sent unless the feed's drop names them. One without a name is not sent.",
    )
    NOTE_COLUMN = (
        "note_column",
        "Columns whose names begin with _: they are not sent, unless the feed's rename gives them another "
        "name.",
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row is rejected."""

    reason: Reject
    column: int | None = None  # number of the column, from 0; None: the row as a whole
