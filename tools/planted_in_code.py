"""The faults that tools.planted puts into code that mutmut does not change: constants, decorated functions.

Each names a rule that was once removable without a test that failed.
"""

from __future__ import annotations

from tools.planted_faults import in_file

_STEPS = "layers/shared/bulk_profiles/steps"
_AWS = "layers/shared/bulk_profiles/aws"


def _steps(test: str) -> str:
    return f"tests/unit/steps/{test}"


def _handlers(test: str) -> str:
    return f"tests/unit/functions/test_handlers.py::{test}"


CODE_FAULTS = (
    *in_file(
        f"{_STEPS}/upload_batch.py",
        (
            "a batch is sent again while its sender is alive",
            "_GRACE = timedelta(seconds=15)",
            "_GRACE = timedelta(seconds=-15)",
            _steps("test_upload_step.py::test_batch_is_sending_in_the_ledger_before_its_first_byte_leaves"),
        ),
        (
            "a batch behind an earlier import looks as rarely as it can",
            "_TURNS = 16",
            "_TURNS = 1",
            _steps("test_upload_step.py::test_batch_behind_an_earlier_import_looks_less_often_with_time"),
        ),
        (
            "the first backoff is none",
            "_FIRST_BACKOFF = timedelta(seconds=5)",
            "_FIRST_BACKOFF = timedelta(0)",
            _steps("test_upload_batch.py::test_backoff_doubles_up_to_a_quarter_of_an_hour"),
        ),
        (
            "the backoff has no bound",
            "_LONGEST_BACKOFF = timedelta(minutes=15)",
            "_LONGEST_BACKOFF = timedelta(days=15)",
            _steps("test_upload_batch.py::test_backoff_doubles_up_to_a_quarter_of_an_hour"),
        ),
    ),
    *in_file(
        f"{_STEPS}/slots.py",
        (
            "a place ends while a function is about to renew it",
            "_FUNCTION_LIFETIME = timedelta(minutes=15)",
            "_FUNCTION_LIFETIME = timedelta(0)",
            _steps("test_slots.py::test_place_outlives_the_longest_wait_and_the_function_after_it"),
        ),
        (
            "those who meet at the budget meet again at once",
            "_CONTENTION_DELAY = timedelta(seconds=2)",
            "_CONTENTION_DELAY = timedelta(0)",
            _steps("test_slots.py::test_take_under_contention_comes_back_in_two_seconds"),
        ),
    ),
    *in_file(
        f"{_STEPS}/lease.py",
        (
            "a split is taken over while it works",
            "LEASE = timedelta(minutes=2)",
            "LEASE = timedelta(seconds=10)",
            _steps("test_lease.py::test_lease_that_is_kept_shuts_others_out_for_as_long_as_the_split_takes"),
        ),
        (
            "a lease is written for each block",
            "_RENEW_AFTER = timedelta(seconds=20)",
            "_RENEW_AFTER = timedelta(0)",
            _steps("test_lease.py::test_lease_is_written_every_20_seconds_and_not_for_each_block"),
        ),
    ),
    *in_file(
        f"{_STEPS}/precedence.py",
        (
            "an import's entry is written at every step",
            "_ACTIVE = timedelta(hours=1)",
            "_ACTIVE = timedelta(0)",
            _steps("test_precedence.py::test_import_stays_active_for_an_hour_longer_than_asked"),
        ),
        (
            "a newer version that was rejected rejects the older one",
            "ImportStatus.FAILED}",
            "ImportStatus.FAILED, ImportStatus.REJECTED}",
            _steps("test_precedence.py::test_older_version_is_rejected_once_a_newer_one_may_have_been_sent"),
        ),
    ),
    *in_file(
        f"{_STEPS}/sweep_imports.py",
        (
            "the sweep looks back for two hours",
            "_LOOK_BACK = timedelta(days=7)",
            "_LOOK_BACK = timedelta(hours=2)",
            _steps("test_sweep_imports.py::test_sweep_looks_at_what_was_dropped_within_a_week"),
        ),
        (
            "the sweep begins what its own event is about to begin",
            "_YOUNGEST = timedelta(minutes=15)",
            "_YOUNGEST = timedelta(0)",
            _steps("test_sweep_imports.py::test_sweep_looks_at_what_was_dropped_within_a_week"),
        ),
    ),
    *in_file(
        f"{_AWS}/secrets.py",
        (
            "a token that was rotated is used for days",
            "_MAX_AGE_SECONDS = 900",
            "_MAX_AGE_SECONDS = 900_000",
            "tests/unit/aws/test_secrets.py::test_get_reads_the_secret_again_after_a_quarter_of_an_hour",
        ),
    ),
    *in_file(
        "functions/split_file/app.py",
        (
            "split_file stops when its time is over",
            "_STOP_MS = 120_000",
            "_STOP_MS = 2",
            _handlers("test_split_file_stops_while_two_minutes_are_left"),
        ),
    ),
    *in_file(
        "functions/check_status/app.py",
        (
            "check_status stops when its time is over",
            "_STOP_MS = 60_000",
            "_STOP_MS = 60",
            _handlers("test_check_status_stops_while_a_minute_is_left"),
        ),
    ),
    *in_file(
        "functions/finish_import/app.py",
        (
            "finish_import emits no metrics",
            "@metrics.log_metrics\n",
            "",
            _handlers("test_finish_import_emits_every_count_once"),
        ),
        (
            "finish_import emits its metrics in another unit",
            "MetricUnit.Count",
            "MetricUnit.Percent",
            _handlers("test_finish_import_emits_every_count_once"),
        ),
        (
            "an import that is partial ends as a success",
            'return {"status": summary.status.value,',
            'return {"status": "succeeded",',
            "tests/unit/steps/test_finish_import.py"
            "::test_answer_log_and_metrics_say_how_many_rows_were_rejected",
        ),
    ),
    *in_file(
        "functions/sweep_imports/app.py",
        (
            "sweep_imports emits no metrics",
            "@metrics.log_metrics\n",
            "",
            _handlers("test_sweep_imports_answers_logs_and_emits_its_counts"),
        ),
        (
            "sweep_imports logs nothing",
            '    logger.info("Swept", counts=counts)\n',
            "",
            _handlers("test_sweep_imports_answers_logs_and_emits_its_counts"),
        ),
    ),
    *in_file(
        "local/run.py",
        (
            "a run that is partial exits with 0",
            'summary["status"] == "succeeded"',
            'summary["status"] != "rejected"',
            "tests/unit/local/test_run.py::test_run_exits_with_0_only_if_every_row_is_accounted_for",
        ),
        (
            "a run that loses rows exits with 0",
            ' and not summary["unaccounted"]',
            "",
            "tests/unit/local/test_run.py::test_run_exits_with_0_only_if_every_row_is_accounted_for",
        ),
    ),
    *in_file(
        "simulator/settings.py",
        (
            "the simulator takes larger bodies than Target",
            "max_bytes: int = 50_000_000",
            "max_bytes: int = 500_000_000",
            "tests/unit/simulator/test_simulator.py"
            "::test_simulator_has_the_limits_of_target_unless_told_otherwise",
        ),
    ),
)
