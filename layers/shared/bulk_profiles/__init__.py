"""A file of customers reaches Adobe Target, and every row is accounted for.

    steps.split_file     claims a dropped file, and splits it: `splitting` reads blocks of rows (`reading`),
                         checks and encodes them (`rows`), and cuts them into batches (`batches`)
    steps.upload_batch   sends a batch when the client's `budget` has a slot: `target.calls`
    steps.check_status   asks what became of it: what Target said (`target.answers`), and meant (`verdict`)
    steps.finish_import  compares `ledger` and manifest, and reports: `accounting`
    steps.sweep_imports  finds what was lost, once an hour
    cli                  the command line: what an import of a file would do

`aws` has one module for each service; `core` has the models, names, feeds and errors that all rooms know.
docs/architecture.md has the table of rooms, the words, and where to change what.
"""

__version__ = "0.1.0"  # as in pyproject.toml
