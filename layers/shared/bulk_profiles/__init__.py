"""Everything that is true of a bulk profile import, whatever runs it.

Pure: `errors`, `models`, `identity`, `encoding`, `lint`, `reading`, `merging`, `cutting`, `answers`,
`budget`, `accounting`. Edges, one outside thing each: `storage` (S3), `target` (Adobe Target),
`ledger` (the Imports table), `results` (the Profiles table), `report` (what a person reads).
`settings` turns the environment into a frozen dataclass.
"""
