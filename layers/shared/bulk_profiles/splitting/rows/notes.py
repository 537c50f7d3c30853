"""The notes about a row, in the files of rejected and failed rows: columns that are never sent.

Whoever mends such a file can drop it as it is.
"""

from __future__ import annotations

LINE, REASON, WHAT_TO_DO, BATCH = "_line", "_reason", "_what_to_do", "_batch"
STATUS = "_status"  # of a profile that was sent
ROW = "_row"  # the text of a record that cannot be taken apart, where it is not JSON
NO_BATCH = "rejected"  # never empty: empty cells at the end of a row may be no cells
REJECT_NOTES = (LINE, REASON, WHAT_TO_DO, BATCH)  # in their order
OUR_NOTES = frozenset({LINE, REASON, WHAT_TO_DO, BATCH, STATUS})
OUR_COLUMNS = OUR_NOTES | {ROW}
