"""The faults that tools.planted puts into template and state machine, and the promises that they break."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

from local.engine import ROOT


class Removed(Enum):
    """The value of what is taken away."""

    REMOVED = auto()


REMOVED: Final = Removed.REMOVED

_TEMPLATE = ROOT / "template.yaml"
_MACHINE = ROOT / "statemachine/import_profiles.asl.json"
_QUEUE = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
_RULE = {"Fn::GetAtt": ["SplitFileFunctionFileDropped", "Arn"]}


@dataclass(frozen=True, slots=True)
class Fault:
    """A single fault."""

    file: Path
    name: str  # what is wrong then
    # The place in the parsed file, e.g. `Resources/DeadLetterQueue`; a number is a place in a list.
    # In code: the text.
    path: str
    value: Any  # what is there then
    # The test that must fail, e.g. `alarms.test_x` in tests/contract/test_alarms.py.
    # For code: pytest's name of it.
    promise: str


def _in(file: Path, *rows: tuple[str, str, Any, str], prefix: str = "") -> list[Fault]:
    return [Fault(file, name, prefix + path, value, promise) for name, path, value, promise in rows]


def in_file(name: str, *rows: tuple[str, str, str, str]) -> list[Fault]:
    """Return faults in the text of one file, given from the project's root on."""
    return _in(ROOT / name, *rows)


_DELIVERY = [
    *_in(
        _TEMPLATE,
        (
            "the Drop bucket tells EventBridge nothing",
            "NotificationConfiguration/EventBridgeConfiguration/EventBridgeEnabled",
            False,
            "delivery.test_dropped_file_is_announced_to_eventbridge",
        ),
        (
            "the Drop bucket has no notifications",
            "NotificationConfiguration",
            REMOVED,
            "delivery.test_dropped_file_is_announced_to_eventbridge",
        ),
        prefix="Resources/DropBucket/Properties/",
    ),
    *_in(
        _TEMPLATE,
        (
            "the rule of dropped files waits for another source",
            "Properties/Pattern/source",
            ["aws.s3control"],
            "events.test_rule_matches_objects_created_in_the_drop_bucket",
        ),
        (
            "the rule of dropped files waits for deletions",
            "Properties/Pattern/detail-type",
            ["Object Deleted"],
            "events.test_rule_matches_objects_created_in_the_drop_bucket",
        ),
        (
            "a file beside drop/ is told to nobody",
            "Properties/Pattern/detail/object",
            {"key": [{"prefix": "drop/"}]},
            "events.test_rule_matches_objects_created_in_the_drop_bucket",
        ),
        (
            "the rule of dropped files takes any bucket",
            "Properties/Pattern/detail/bucket",
            REMOVED,
            "events.test_rule_matches_objects_created_in_the_drop_bucket",
        ),
        (
            "the rule of dropped files is switched off",
            "Properties/State",
            "DISABLED",
            "delivery.test_rule_is_enabled_and_passes_on_the_whole_event",
        ),
        (
            "the rule of dropped files passes on a part of the event",
            "Properties/InputPath",
            "$.detail",
            "delivery.test_rule_is_enabled_and_passes_on_the_whole_event",
        ),
        (
            "an undelivered event of a dropped file is gone",
            "Properties/DeadLetterConfig",
            REMOVED,
            "delivery.test_event_of_a_drop_is_delivered_within_a_day_or_kept",
        ),
        (
            "an event of a dropped file is given up after an hour",
            "Properties/RetryPolicy/MaximumEventAgeInSeconds",
            3600,
            "delivery.test_event_of_a_drop_is_delivered_within_a_day_or_kept",
        ),
        (
            "an event of a dropped file is delivered at the first try or never",
            "Properties/RetryPolicy/MaximumRetryAttempts",
            0,
            "delivery.test_event_of_a_drop_is_delivered_within_a_day_or_kept",
        ),
        prefix="Resources/SplitFileFunction/Properties/Events/FileDropped/",
    ),
    *_in(
        _TEMPLATE,
        (
            "no rule starts split_file",
            "Events/FileDropped",
            REMOVED,
            "delivery.test_dropped_file_and_the_hour_are_what_starts_functions",
        ),
        (
            "a split is not tried again",
            "EventInvokeConfig/MaximumRetryAttempts",
            0,
            "delivery.test_file_whose_split_fails_three_times_waits_in_the_queue",
        ),
        (
            "a file whose split fails is gone",
            "EventInvokeConfig/DestinationConfig",
            REMOVED,
            "delivery.test_file_whose_split_fails_three_times_waits_in_the_queue",
        ),
        (
            "a file whose split fails is a message to people",
            "EventInvokeConfig/DestinationConfig/OnFailure",
            {"Type": "SNS", "Destination": {"Ref": "ImportsTopic"}},
            "delivery.test_file_whose_split_fails_three_times_waits_in_the_queue",
        ),
        (
            "a split that waits a minute for a function is given up",
            "EventInvokeConfig/MaximumEventAgeInSeconds",
            60,
            "delivery.test_file_whose_split_fails_three_times_waits_in_the_queue",
        ),
        (
            "splits have AWS's own retries and no destination",
            "EventInvokeConfig",
            REMOVED,
            "delivery.test_file_whose_split_fails_three_times_waits_in_the_queue",
        ),
        prefix="Resources/SplitFileFunction/Properties/",
    ),
    *_in(
        _TEMPLATE,
        (
            "the sweep runs once a year",
            "Hourly/Properties/Schedule",
            "rate(365 days)",
            "delivery.test_dropped_file_and_the_hour_are_what_starts_functions",
        ),
        (
            "the sweep never runs",
            "Hourly",
            REMOVED,
            "delivery.test_dropped_file_and_the_hour_are_what_starts_functions",
        ),
        (
            "the sweep is switched off",
            "Hourly/Properties/Enabled",
            False,
            "delivery.test_rule_is_enabled_and_passes_on_the_whole_event",
        ),
        (
            "a sweep that could not be started is gone",
            "Hourly/Properties/DeadLetterConfig",
            REMOVED,
            "delivery.test_sweep_that_cannot_be_started_is_kept_before_the_next",
        ),
        (
            "a sweep is started a day late",
            "Hourly/Properties/RetryPolicy/MaximumEventAgeInSeconds",
            86_400,
            "delivery.test_sweep_that_cannot_be_started_is_kept_before_the_next",
        ),
        (
            "a sweep is started at the first try or not",
            "Hourly/Properties/RetryPolicy/MaximumRetryAttempts",
            0,
            "delivery.test_sweep_that_cannot_be_started_is_kept_before_the_next",
        ),
        prefix="Resources/SweepImportsFunction/Properties/Events/",
    ),
    *_in(
        _TEMPLATE,
        (
            "the queue refuses events of the hourly rule",
            "PolicyDocument/Statement/0/Condition/ArnEquals/aws:SourceArn",
            [_RULE],
            "delivery.test_queue_takes_undelivered_events_of_every_rule",
        ),
        (
            "the queue takes events of every rule but ours",
            "PolicyDocument/Statement/0/Condition",
            {"ArnNotEquals": {"aws:SourceArn": _RULE}},
            "delivery.test_queue_takes_undelivered_events_of_every_rule",
        ),
        (
            "the queue takes events of any account",
            "PolicyDocument/Statement/0/Condition",
            REMOVED,
            "delivery.test_queue_takes_undelivered_events_of_every_rule",
        ),
        (
            "the queue takes no events",
            "PolicyDocument/Statement/0",
            REMOVED,
            "delivery.test_queue_takes_undelivered_events_of_every_rule",
        ),
        (
            "the queue denies events",
            "PolicyDocument/Statement/0/Effect",
            "Deny",
            "delivery.test_queue_takes_undelivered_events_of_every_rule",
        ),
        (
            "the queue takes events of another service",
            "PolicyDocument/Statement/0/Principal",
            {"Service": "lambda.amazonaws.com"},
            "delivery.test_queue_takes_undelivered_events_of_every_rule",
        ),
        (
            "the queue lets EventBridge read",
            "PolicyDocument/Statement/0/Action",
            "sqs:ReceiveMessage",
            "delivery.test_queue_takes_undelivered_events_of_every_rule",
        ),
        (
            "the queue's policy is of no queue",
            "Queues",
            [],
            "delivery.test_queue_takes_undelivered_events_of_every_rule",
        ),
        (
            "the queue takes requests without TLS",
            "PolicyDocument/Statement/1",
            REMOVED,
            "delivery.test_queue_refuses_requests_without_tls",
        ),
        prefix="Resources/DeadLetterQueuePolicy/Properties/",
    ),
    *_in(
        _TEMPLATE,
        (
            "the queue keeps messages for four days",
            "MessageRetentionPeriod",
            REMOVED,
            "delivery.test_queue_keeps_messages_for_as_long_as_documented",
        ),
        (
            "the queue has a key that EventBridge cannot use",
            "KmsMasterKeyId",
            "alias/aws/sqs",
            "delivery.test_queue_is_encrypted_without_a_key_that_senders_need",
        ),
        (
            "the queue is not encrypted",
            "SqsManagedSseEnabled",
            False,
            "delivery.test_queue_is_encrypted_without_a_key_that_senders_need",
        ),
        (
            "the queue is a FIFO queue, which rules cannot send to",
            "FifoQueue",
            True,
            "delivery.test_queue_is_encrypted_without_a_key_that_senders_need",
        ),
        prefix="Resources/DeadLetterQueue/Properties/",
    ),
]

_STORAGE = _in(
    _TEMPLATE,
    (
        "dropped files are deleted with the stack",
        "DropBucket/DeletionPolicy",
        "Delete",
        "storage.test_data_outlives_the_stack_and_its_replacement",
    ),
    (
        "results are deleted when their bucket is replaced",
        "DataBucket/UpdateReplacePolicy",
        REMOVED,
        "storage.test_data_outlives_the_stack_and_its_replacement",
    ),
    (
        "the ledger is deleted with the stack",
        "ImportsTable/DeletionPolicy",
        REMOVED,
        "storage.test_data_outlives_the_stack_and_its_replacement",
    ),
    (
        "profile results are deleted when their table is replaced",
        "ProfilesTable/UpdateReplacePolicy",
        "Delete",
        "storage.test_data_outlives_the_stack_and_its_replacement",
    ),
    (
        "items of the ledger never expire",
        "ImportsTable/Properties/TimeToLiveSpecification/Enabled",
        False,
        "storage.test_table_removes_items_that_expired",
    ),
    (
        "profile results expire by an attribute that they do not have",
        "ProfilesTable/Properties/TimeToLiveSpecification/AttributeName",
        "expires_at",
        "storage.test_profile_result_fits_the_profiles_table",
    ),
    (
        "the ledger has no time to live",
        "ImportsTable/Properties/TimeToLiveSpecification",
        REMOVED,
        "storage.test_table_removes_items_that_expired",
    ),
    (
        "the ledger cannot be recovered",
        "ImportsTable/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
        False,
        "storage.test_ledger_is_recoverable_to_any_second",
    ),
    (
        "the ledger may be deleted whatever the parameter says",
        "ImportsTable/Properties/DeletionProtectionEnabled",
        False,
        "storage.test_table_grows_with_its_use_and_is_protected",
    ),
    (
        "the profiles table has a fixed capacity",
        "ProfilesTable/Properties/BillingMode",
        "PROVISIONED",
        "storage.test_table_grows_with_its_use_and_is_protected",
    ),
    (
        "the profiles table is warmed, at a price, where nobody asked for it",
        "ProfilesTable/Properties/WarmThroughput",
        {"WriteUnitsPerSecond": 40_000},
        "storage.test_profiles_table_is_warmed_for_the_writes_that_the_operator_pays_for",
    ),
    (
        "the parameter for warm writes does nothing",
        "ProfilesTable/Properties/WarmThroughput",
        REMOVED,
        "storage.test_profiles_table_is_warmed_for_the_writes_that_the_operator_pays_for",
    ),
    (
        "the results of a batch have one partition",
        "ProfilesTable/Properties/KeySchema",
        [{"AttributeName": "batch", "KeyType": "HASH"}, {"AttributeName": "profile", "KeyType": "RANGE"}],
        "storage.test_profile_results_of_a_batch_spread_over_partitions",
    ),
    (
        "the ledger is keyed by its sort key",
        "ImportsTable/Properties/KeySchema",
        [{"AttributeName": "sk", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}],
        "storage.test_batches_of_an_import_are_read_with_one_query",
    ),
    (
        "an overwritten file is gone",
        "DropBucket/Properties/VersioningConfiguration/Status",
        "Suspended",
        "storage.test_bucket_keeps_overwritten_versions",
    ),
    (
        "the Drop bucket may have a public policy",
        "DropBucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy",
        False,
        "storage.test_bucket_is_private",
    ),
    (
        "the Data bucket may be public",
        "DataBucket/Properties/PublicAccessBlockConfiguration/RestrictPublicBuckets",
        REMOVED,
        "storage.test_bucket_is_private",
    ),
    (
        "whoever drops a file keeps it",
        "DropBucket/Properties/OwnershipControls/Rules/0/ObjectOwnership",
        "ObjectWriter",
        "storage.test_bucket_is_private",
    ),
    (
        "results are not encrypted by the bucket",
        "DataBucket/Properties/BucketEncryption",
        REMOVED,
        "storage.test_bucket_is_encrypted",
    ),
    (
        "the Drop bucket refuses requests with TLS",
        "DropBucketPolicy/Properties/PolicyDocument/Statement/0/Condition/Bool/aws:SecureTransport",
        "true",
        "storage.test_bucket_refuses_requests_without_tls",
    ),
    (
        "the policy of the Data bucket leaves out its objects",
        "DataBucketPolicy/Properties/PolicyDocument/Statement/0/Resource",
        [{"Fn::GetAtt": ["DataBucket", "Arn"]}, {"Fn::Sub": "${DropBucket.Arn}/*"}],
        "storage.test_bucket_refuses_requests_without_tls",
    ),
    (
        "the Data bucket allows everything without TLS",
        "DataBucketPolicy/Properties/PolicyDocument/Statement/0/Effect",
        "Allow",
        "storage.test_bucket_refuses_requests_without_tls",
    ),
    (
        "dropped files are kept for ever",
        "DropBucket/Properties/LifecycleConfiguration/Rules/1/Status",
        "Disabled",
        "storage.test_dropped_files_expire_whatever_their_key",
    ),
    (
        "results are kept for a year",
        "DataBucket/Properties/LifecycleConfiguration/Rules/0/ExpirationInDays",
        365,
        "storage.test_bucket_expires_objects_after_the_retention",
    ),
    (
        "feeds expire",
        "DataBucket/Properties/LifecycleConfiguration/Rules/0/Prefix",
        REMOVED,
        "storage.test_results_expire_and_feeds_stay",
    ),
    (
        "feeds expire, and results do not",
        "DataBucket/Properties/LifecycleConfiguration/Rules/0/Prefix",
        "feeds/",
        "storage.test_results_expire_and_feeds_stay",
    ),
    (
        "a dropped file is gone before the sweep has looked for it",
        "DropBucket/Properties/LifecycleConfiguration/Rules/1/ExpirationInDays",
        1,
        "storage.test_dropped_file_stays_until_the_sweep_has_looked_for_it",
    ),
    (
        "an overwritten file is gone before the sweep has looked for it",
        "DropBucket/Properties/LifecycleConfiguration/Rules/1/NoncurrentVersionExpiration/NoncurrentDays",
        1,
        "storage.test_dropped_file_stays_until_the_sweep_has_looked_for_it",
    ),
    (
        "files of other feeds never expire",
        "DropBucket/Properties/LifecycleConfiguration/Rules/1/Prefix",
        "drop/default/",
        "storage.test_dropped_files_expire_whatever_their_key",
    ),
    (
        "overwritten results are kept for ever",
        "DataBucket/Properties/LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration",
        REMOVED,
        "storage.test_bucket_removes_what_expired_objects_leave_behind",
    ),
    (
        "parts of uploads are kept for ever",
        "DataBucket/Properties/LifecycleConfiguration/Rules/1/AbortIncompleteMultipartUpload",
        REMOVED,
        "storage.test_bucket_removes_what_expired_objects_leave_behind",
    ),
    (
        "delete markers are kept for ever",
        "DropBucket/Properties/LifecycleConfiguration/Rules/2/Status",
        "Disabled",
        "storage.test_bucket_removes_what_expired_objects_leave_behind",
    ),
    (
        "the log of split_file is kept for a day",
        "SplitFileLogGroup/Properties/RetentionInDays",
        1,
        "storage.test_log_is_kept_for_as_long_as_documented",
    ),
    (
        "the log of executions is kept for ever",
        "ImportProfilesLogGroup/Properties/RetentionInDays",
        REMOVED,
        "storage.test_log_is_kept_for_as_long_as_documented",
    ),
    prefix="Resources/",
)

_FUNCTIONS = [
    *_in(
        _TEMPLATE,
        (
            "upload_batch ends before a submission may",
            "UploadBatchFunction/Properties/Timeout",
            240,
            "functions.test_submission_ends_before_its_function_does",
        ),
        (
            "split_file has a minute",
            "SplitFileFunction/Properties/Timeout",
            60,
            "functions.test_function_whose_work_grows_has_the_longest_timeout",
        ),
        (
            "check_status has a minute",
            "CheckStatusFunction/Properties/Timeout",
            60,
            "functions.test_function_whose_work_grows_has_the_longest_timeout",
        ),
        (
            "the sweep has three seconds",
            "SweepImportsFunction/Properties/Timeout",
            REMOVED,
            "functions.test_function_whose_work_grows_has_the_longest_timeout",
        ),
        (
            "finish_import has ten seconds",
            "FinishImportFunction/Properties/Timeout",
            10,
            "functions.test_finish_import_has_minutes_for_ten_thousand_batches",
        ),
        (
            "split_file has a third of a processor",
            "SplitFileFunction/Properties/MemorySize",
            512,
            "functions.test_split_file_has_more_than_one_processor",
        ),
        (
            "split_file has more memory than a new account may have",
            "SplitFileFunction/Properties/MemorySize",
            10_240,
            "functions.test_function_has_memory_that_a_new_account_may_have",
        ),
        (
            "check_status has no memory to speak of",
            "CheckStatusFunction/Properties/MemorySize",
            128,
            "functions.test_function_has_memory_that_a_new_account_may_have",
        ),
        (
            "split_file has 512 MB of scratch space",
            "SplitFileFunction/Properties/EphemeralStorage",
            REMOVED,
            "functions.test_split_file_has_the_largest_scratch_space",
        ),
        (
            "upload_batch never runs",
            "UploadBatchFunction/Properties/ReservedConcurrentExecutions",
            0,
            "functions.test_function_is_limited_by_nothing_but_the_account",
        ),
        (
            "check_status is another function's code",
            "CheckStatusFunction/Properties/CodeUri",
            "functions/upload_batch",
            "functions.test_function_code_is_its_folder",
        ),
        (
            "split_file cannot read every format",
            "SplitFileFunction/Properties/Layers",
            REMOVED,
            "functions.test_every_function_has_the_package_and_those_that_read_files_the_readers",
        ),
        (
            "the shared layer holds the other one's content",
            "SharedLayer/Properties/ContentUri",
            "layers/splitting",
            "functions.test_every_function_has_the_package_and_those_that_read_files_the_readers",
        ),
        (
            "a layer is built for another Python",
            "SplittingLayer/Metadata/BuildMethod",
            "python3.12",
            "functions.test_layer_is_built_for_the_functions",
        ),
        (
            "a layer is for another processor",
            "SharedLayer/Properties/CompatibleArchitectures",
            ["x86_64"],
            "functions.test_layer_is_built_for_the_functions",
        ),
        (
            "the reset hour is the number of rows a day",
            "UploadBatchFunction/Properties/Environment/Variables/RESET_HOUR",
            {"Ref": "RowsPerDay"},
            "functions.test_function_variable_is_what_it_is_named_after",
        ),
        (
            "the results go where files are dropped",
            "FinishImportFunction/Properties/Environment/Variables/DATA_BUCKET",
            {"Ref": "DropBucket"},
            "functions.test_function_variable_is_what_it_is_named_after",
        ),
        (
            "finish_import knows no topic",
            "FinishImportFunction/Properties/Environment/Variables/TOPIC_ARN",
            REMOVED,
            "functions.test_function_environment_equals_its_settings",
        ),
        (
            "check_status logs among the lines of another function",
            "CheckStatusFunction/Properties/LoggingConfig/LogGroup/Ref",
            "UploadBatchLogGroup",
            "functions.test_function_log_has_a_group_of_its_own",
        ),
        prefix="Resources/",
    ),
    *_in(
        _TEMPLATE,
        (
            "functions have a handler that is not there",
            "Handler",
            "app.handler",
            "functions.test_function_handler_is_in_its_folder",
        ),
        (
            "functions run on another Python",
            "Runtime",
            "python3.12",
            "functions.test_functions_run_on_the_python_that_they_are_tested_with",
        ),
        (
            "functions have no package",
            "Layers",
            REMOVED,
            "functions.test_every_function_has_the_package_and_those_that_read_files_the_readers",
        ),
        (
            "functions leave no trace",
            "Tracing",
            "PassThrough",
            "functions.test_import_can_be_traced_through_all_functions",
        ),
        (
            "functions log their events",
            "Environment/Variables/POWERTOOLS_LOGGER_LOG_EVENT",
            "true",
            "functions.test_functions_log_no_event_and_name_their_stack",
        ),
        (
            "metrics of two stacks are one",
            "Environment/Variables/POWERTOOLS_SERVICE_NAME",
            "bulk-profiles",
            "alarms.test_alarm_watches_a_metric_that_the_functions_emit",
        ),
        (
            "metrics go into a namespace that nobody watches",
            "Environment/Variables/POWERTOOLS_METRICS_NAMESPACE",
            "Profiles",
            "alarms.test_alarm_watches_a_metric_that_the_functions_emit",
        ),
        prefix="Globals/Function/",
    ),
]

_PERMISSIONS = [
    *_in(
        _TEMPLATE,
        (
            "the token is readable where there is none",
            "HasToken",
            {"Fn::Equals": [{"Ref": "TokenSecretArn"}, ""]},
            "permissions.test_token_is_readable_for_the_callers_of_target_only",
        ),
        (
            "nobody with an address is subscribed",
            "HasNotifyEmail",
            {"Fn::Equals": [{"Ref": "NotifyEmail"}, ""]},
            "alarms.test_notify_email_receives_what_the_topic_sends",
        ),
        prefix="Conditions/",
    ),
    *_in(
        _TEMPLATE,
        (
            "upload_batch may not use the ledger",
            "UploadBatchFunction/Properties/Policies/0/Statement/1/Effect",
            "Deny",
            "permissions.test_permission_is_a_plain_allowance",
        ),
        (
            "finish_import may publish from one address only",
            "FinishImportFunction/Properties/Policies/0/Statement/4/Condition",
            {"IpAddress": {"aws:SourceIp": "192.0.2.1"}},
            "permissions.test_permission_is_a_plain_allowance",
        ),
        (
            "upload_batch may read every secret",
            "UploadBatchFunction/Properties/Policies/1/Fn::If/1/Statement/0/Resource",
            "*",
            "permissions.test_permission_has_no_wildcard_but_for_logs",
        ),
        (
            "check_status has no token",
            "CheckStatusFunction/Properties/Policies/1",
            REMOVED,
            "permissions.test_token_is_readable_for_the_callers_of_target_only",
        ),
        (
            "verify_import has no token",
            "VerifyImportFunction/Properties/Policies/1",
            REMOVED,
            "permissions.test_token_is_readable_for_the_callers_of_target_only",
        ),
        (
            "the sweep may split with no function",
            "SweepImportsFunction/Properties/Policies/0/Statement/7/Resource",
            {"Fn::GetAtt": ["FinishImportFunction", "Arn"]},
            "permissions.test_sweep_splits_with_the_function_that_it_may_invoke",
        ),
        (
            "a long split cannot go on",
            "SplitFileContinuationPolicy/Properties/Roles/0/Ref",
            "SweepImportsFunctionRole",
            "permissions.test_split_that_takes_long_may_invoke_itself",
        ),
        (
            "the map cannot start a batch",
            "ImportProfilesMapPolicy/Properties/PolicyDocument/Statement/0",
            REMOVED,
            "permissions.test_map_may_start_its_children",
        ),
        (
            "the map's permissions are another role's",
            "ImportProfilesMapPolicy/Properties/Roles/0/Ref",
            "SplitFileFunctionRole",
            "permissions.test_map_may_start_its_children",
        ),
        (
            "the log of executions holds their data",
            "ImportProfiles/Properties/Logging/IncludeExecutionData",
            True,
            "permissions.test_state_machine_writes_its_log_without_the_data",
        ),
        (
            "executions leave no log",
            "ImportProfiles/Properties/Logging/Level",
            "OFF",
            "permissions.test_state_machine_writes_its_log_without_the_data",
        ),
        (
            "the log group of executions counts against CloudWatch's policy",
            "ImportProfilesLogGroup/Properties/LogGroupName/Fn::Sub",
            "/states/${AWS::StackName}-ImportProfiles",
            "permissions.test_state_machine_writes_its_log_without_the_data",
        ),
        prefix="Resources/",
    ),
]

_DEAD_LETTERS = "alarms.test_message_in_the_dead_letter_queue_raises_an_alarm"
_FAILED = "alarms.test_execution_that_failed_raises_an_alarm"
_LOST_ROWS = "alarms.test_lost_rows_raise_the_alarm_of_unaccounted_rows"

_ALARMS = [
    *_in(
        _TEMPLATE,
        ("the alarm of dead letters waits for a hundred", "Properties/Threshold", 100, _DEAD_LETTERS),
        (
            "the alarm of dead letters speaks when there is none",
            "Properties/ComparisonOperator",
            "LessThanThreshold",
            _DEAD_LETTERS,
        ),
        (
            "the alarm of dead letters speaks of an empty queue",
            "Properties/Statistic",
            "SampleCount",
            "alarms.test_empty_dead_letter_queue_raises_no_alarm",
        ),
        (
            "the alarm of dead letters speaks of a queue without data",
            "Properties/TreatMissingData",
            "breaching",
            "alarms.test_empty_dead_letter_queue_raises_no_alarm",
        ),
        (
            "the alarm of dead letters watches how many messages were sent",
            "Properties/MetricName",
            "NumberOfMessagesSent",
            "alarms.test_one_alarm_stays_while_an_event_waits_and_another_tells_of_each_new_one",
        ),
        (
            "the alarm of dead letters watches another queue",
            "Properties/Dimensions/0/Value",
            "dead-letters",
            "alarms.test_alarm_watches_a_metric_that_aws_counts",
        ),
        (
            "nobody is told of dead letters",
            "Properties/AlarmActions",
            [],
            "alarms.test_alarm_notifies_the_topic",
        ),
        (
            "dead letters are told the next day",
            "Properties/Period",
            86_400,
            "alarms.test_alarm_on_an_event_comes_within_ten_minutes",
        ),
        (
            "dead letters are told after an hour",
            "Properties/EvaluationPeriods",
            12,
            "alarms.test_alarm_on_an_event_comes_within_ten_minutes",
        ),
        prefix="Resources/DeadLettersAlarm/",
    ),
    *_in(
        _TEMPLATE,
        ("nobody watches the dead letters", "DeadLettersAlarm", REMOVED, _DEAD_LETTERS),
        ("nobody watches failed imports", "FailedImportsAlarm", REMOVED, _FAILED),
        ("nobody watches unaccounted rows", "UnaccountedRowsAlarm", REMOVED, _LOST_ROWS),
        prefix="Resources/",
    ),
    *_in(
        _TEMPLATE,
        (
            "the alarm of failed imports watches those that succeeded",
            "MetricName",
            "ExecutionsSucceeded",
            "alarms.test_alarm_watches_a_metric_that_aws_counts",
        ),
        (
            "the alarm of failed imports watches another service",
            "Namespace",
            "AWS/Lambda",
            "alarms.test_alarm_watches_a_metric_that_aws_counts",
        ),
        (
            "the alarm of failed imports watches no state machine",
            "Dimensions",
            [],
            "alarms.test_alarm_watches_a_metric_that_aws_counts",
        ),
        ("the alarm of failed imports waits for more than five", "Threshold", 5, _FAILED),
        ("one import that succeeds hides all that failed", "Statistic", "Minimum", _FAILED),
        (
            "only the first failed import is told",
            "TreatMissingData",
            "ignore",
            "alarms.test_next_failed_execution_raises_the_next_alarm",
        ),
        (
            "the alarm of failed imports speaks of those that succeeded",
            "ComparisonOperator",
            "GreaterThanOrEqualToThreshold",
            "alarms.test_executions_that_succeeded_raise_no_alarm",
        ),
        (
            "the alarm of failed imports has its actions switched off",
            "ActionsEnabled",
            False,
            "alarms.test_alarm_notifies_the_topic",
        ),
        prefix="Resources/FailedImportsAlarm/Properties/",
    ),
    *_in(
        _TEMPLATE,
        (
            "the alarm of unaccounted rows waits for a second row",
            "Threshold",
            1,
            "alarms.test_next_lost_row_raises_the_next_alarm",
        ),
        ("one import that adds up hides all others", "Statistic", "Minimum", _LOST_ROWS),
        (
            "the alarm of unaccounted rows watches a metric that nobody emits",
            "MetricName",
            "RowsUnaccounted",
            "alarms.test_alarm_watches_a_metric_that_the_functions_emit",
        ),
        (
            "the alarm of unaccounted rows watches a namespace that nobody uses",
            "Namespace",
            "BulkProfile",
            "alarms.test_alarm_watches_a_metric_that_the_functions_emit",
        ),
        (
            "the alarm of unaccounted rows watches a dimension that no metric has",
            "Dimensions/0/Name",
            "Service",
            "alarms.test_alarm_watches_a_metric_that_the_functions_emit",
        ),
        (
            "the alarm of unaccounted rows watches the metric without a dimension",
            "Dimensions",
            [],
            "alarms.test_alarm_watches_a_metric_that_the_functions_emit",
        ),
        (
            "the alarm of unaccounted rows speaks of every import that adds up",
            "ComparisonOperator",
            "GreaterThanOrEqualToThreshold",
            "alarms.test_import_that_adds_up_raises_no_alarm",
        ),
        (
            "the alarm of unaccounted rows speaks when no import runs",
            "TreatMissingData",
            "breaching",
            "alarms.test_import_that_adds_up_raises_no_alarm",
        ),
        prefix="Resources/UnaccountedRowsAlarm/Properties/",
    ),
    *_in(
        _TEMPLATE,
        (
            "the topic has a key that alarms cannot use",
            "ImportsTopic/Properties/KmsMasterKeyId",
            "alias/aws/sns",
            "alarms.test_topic_lets_alarms_publish",
        ),
        (
            "the subscription is of another kind",
            "ImportsSubscription/Properties/Protocol",
            "http",
            "alarms.test_notify_email_receives_what_the_topic_sends",
        ),
        (
            "an empty address is subscribed",
            "ImportsSubscription/Condition",
            REMOVED,
            "alarms.test_notify_email_receives_what_the_topic_sends",
        ),
        prefix="Resources/",
    ),
]

_PARAMETERS = _in(
    _TEMPLATE,
    (
        "a submission may take longer than its function",
        "UploadTimeoutSeconds/MaxValue",
        900,
        "functions.test_submission_ends_before_its_function_does",
    ),
    (
        "a batch may have more bytes than Target takes",
        "MaxBatchBytes/MaxValue",
        60_000_000,
        "template.test_batch_is_never_larger_than_target_takes",
    ),
    (
        "a batch may have more rows than Target takes",
        "MaxBatchRows/MaxValue",
        1_000_000,
        "template.test_batch_is_never_larger_than_target_takes",
    ),
    (
        "more batches may be in flight than Target keeps statuses of",
        "MaxInFlight/MaxValue",
        100,
        "template.test_batch_is_never_larger_than_target_takes",
    ),
    (
        "a plan counts other batches than the stack makes",
        "MaxBatchRows/Default",
        100_000,
        "template.test_batch_is_never_larger_than_target_takes",
    ),
    (
        "a plan judges by another limit than the stack",
        "MaxRejectedPercent/Default",
        50,
        "template.test_plan_judges_by_the_limit_of_the_stack",
    ),
    (
        "status checks until the deadline do not fit a history",
        "MaxCheckSeconds/Default",
        60,
        "state_machine.test_status_checks_until_the_deadline_fit_a_history",
    ),
    prefix="Parameters/",
)

_DEPLOYED_MACHINE = _in(
    _TEMPLATE,
    (
        "an import ends after five minutes",
        "Type",
        "EXPRESS",
        "state_machine.test_state_machine_is_the_definition_that_is_tested",
    ),
    (
        "a status check finishes the import",
        "DefinitionSubstitutions/CheckStatusFunctionArn",
        {"Fn::GetAtt": ["FinishImportFunction", "Arn"]},
        "state_machine.test_task_calls_the_function_of_its_name",
    ),
    (
        "executions leave no trace",
        "Tracing/Enabled",
        False,
        "functions.test_import_can_be_traced_through_all_functions",
    ),
    prefix="Resources/ImportProfiles/Properties/",
)

_RETRIED = "execution.test_step_that_fails_is_tried_again_for_four_minutes"
_FOR_EVER = "execution.test_batch_that_fails_for_ever_stops_no_other"
_JITTER = "state_machine.test_batches_that_failed_together_do_not_retry_together"
_GIVEN_UP = "state_machine.test_task_is_given_up_soon_after_its_function"
_SENTENCE = "execution.test_import_not_complete_fails_with_the_reports_sentence"
_UNRECONCILED = "execution.test_import_not_reconciled_fails_and_says_what_to_do"
_CALLED_WITH = "execution.test_functions_are_called_with_import_and_batch"
_WRONG_INPUT = "execution.test_execution_with_a_wrong_input_fails_at_once_and_says_what_it_must_be"
_UNKNOWN_OUTCOME = "execution.test_batch_with_an_unknown_outcome_fails_alone"

_BATCHES = _in(
    _MACHINE,
    ("a submission that fails is not tried again", "Upload batch/Retry/0/MaxAttempts", 0, _RETRIED),
    ("a check that fails is not tried again", "Check status/Retry", REMOVED, _RETRIED),
    ("a submission is tried again all at once", "Upload batch/Retry/0/IntervalSeconds", 0, _RETRIED),
    (
        "a submission is first tried again after a minute",
        "Upload batch/Retry/0/IntervalSeconds",
        60,
        _RETRIED,
    ),
    ("waits between tries do not grow", "Check status/Retry/0/BackoffRate", 1, _RETRIED),
    ("waits between tries stay short", "Check status/Retry/0/MaxDelaySeconds", 5, _RETRIED),
    ("a check is tried again for weeks", "Check status/Retry/0/MaxAttempts", 10_000, _RETRIED),
    ("all batches that failed retry at once", "Upload batch/Retry/0/JitterStrategy", REMOVED, _JITTER),
    (
        "a submission is tried again after a time-out only",
        "Upload batch/Retry/1/ErrorEquals",
        ["States.Timeout"],
        _RETRIED,
    ),
    (
        "a check is not tried again after a time-out",
        "Check status/Retry/1/ErrorEquals",
        ["States.TaskFailed"],
        _RETRIED,
    ),
    ("a submission that is given up fails its child", "Upload batch/Catch", REMOVED, _FOR_EVER),
    (
        "a check that is given up fails its child",
        "Check status/Catch/0/ErrorEquals",
        ["States.Timeout"],
        _FOR_EVER,
    ),
    ("a check that is given up looks settled", "Check status/Catch/0/Next", "Batch settled", _FOR_EVER),
    ("a submission is given up while its function runs", "Upload batch/TimeoutSeconds", 60, _GIVEN_UP),
    ("a check that hangs is waited for", "Check status/TimeoutSeconds", 99_999_999, _GIVEN_UP),
    (
        "a submission must give a sign of life",
        "Upload batch/HeartbeatSeconds",
        10,
        "execution.test_batch_accepted_is_checked_when_target_may_be_done",
    ),
    (
        "a submission forgets its batch",
        "Upload batch/ResultPath",
        REMOVED,
        "execution.test_batch_accepted_is_checked_when_target_may_be_done",
    ),
    (
        "the result of a check is put where nobody looks",
        "Check status/ResultPath",
        "$.result",
        "execution.test_batch_that_target_processes_is_checked_again",
    ),
    ("a submission is of no batch", "Upload batch/Parameters/batch.$", REMOVED, _CALLED_WITH),
    ("a check is of no import", "Check status/Parameters/importId.$", "$.import", _CALLED_WITH),
    (
        "a submission checks",
        "Upload batch/Resource",
        "${CheckStatusFunctionArn}",
        "state_machine.test_task_calls_the_function_of_its_name",
    ),
    (
        "a batch without a slot waits for a time that is not there",
        "Wait for slot/TimestampPath",
        "$.answer.resume_at",
        "execution.test_batch_without_a_slot_waits_and_is_submitted_again",
    ),
    (
        "a batch without a slot waits for nothing",
        "Upload outcome?/Choices/0/Next",
        "Upload batch",
        "execution.test_batch_without_a_slot_waits_and_is_submitted_again",
    ),
    (
        "a batch without a slot is never submitted",
        "Wait for slot/Next",
        "Check status",
        "execution.test_batch_without_a_slot_waits_and_is_submitted_again",
    ),
    (
        "a batch without a slot has a word that nobody says",
        "Upload outcome?/Choices/0/StringEquals",
        "postponed",
        "state_machine.test_choice_names_every_outcome_of_its_step",
    ),
    (
        "an accepted batch is checked at once",
        "Upload outcome?/Choices/1/Next",
        "Check status",
        "execution.test_batch_accepted_is_checked_when_target_may_be_done",
    ),
    (
        "an accepted batch is never checked",
        "Wait for Target/Next",
        "Batch settled",
        "execution.test_batch_accepted_is_checked_when_target_may_be_done",
    ),
    (
        "a refused batch has no results",
        "Upload outcome?/Choices/2/Next",
        "Batch failed",
        "execution.test_batch_not_accepted_gets_its_results_without_a_wait",
    ),
    (
        "a batch that was lost has no results",
        "Upload outcome?/Choices/3",
        REMOVED,
        "execution.test_batch_not_accepted_gets_its_results_without_a_wait",
    ),
    (
        "a batch that Target processes looks settled",
        "Check outcome?/Choices/0/Next",
        "Batch settled",
        "execution.test_batch_that_target_processes_is_checked_again",
    ),
    (
        "failed profiles are not sent again",
        "Check outcome?/Choices/1/Next",
        "Check status",
        "execution.test_batch_with_failed_profiles_is_submitted_again",
    ),
    (
        "an unknown outcome of a submission settles",
        "Upload outcome?/Default",
        "Batch settled",
        _UNKNOWN_OUTCOME,
    ),
    ("an unknown outcome of a check settles", "Check outcome?/Default", "Batch settled", _UNKNOWN_OUTCOME),
    ("an unknown outcome of a check is no end", "Check outcome?/Default", REMOVED, _UNKNOWN_OUTCOME),
    (
        "the results of all children fill the state",
        "Batch settled/InputPath",
        REMOVED,
        "execution.test_import_of_many_batches_keeps_its_state_small",
    ),
    (
        "a batch that failed fails its child",
        "Batch failed",
        {"Comment": "End.", "Type": "Fail", "Error": "BatchFailed"},
        _FOR_EVER,
    ),
    prefix="States/Upload batches/ItemProcessor/States/",
)

_IMPORT = _in(
    _MACHINE,
    (
        "one batch that fails stops all others",
        "Upload batches/ToleratedFailurePercentage",
        0,
        "state_machine.test_map_tolerates_all_failures_and_discards_results",
    ),
    (
        "more batches run than Target keeps statuses of",
        "Upload batches/MaxConcurrency",
        1000,
        "state_machine.test_map_runs_max_in_flight_children_at_once",
    ),
    (
        "batches run one after the other",
        "Upload batches/MaxConcurrency",
        1,
        "state_machine.test_map_runs_max_in_flight_children_at_once",
    ),
    ("the map reads what no input has", "Upload batches/ItemsPath", "$.items", _CALLED_WITH),
    (
        "children are numbered from zero",
        "Upload batches/ItemSelector/batch.$",
        "$$.Map.Item.Index",
        _CALLED_WITH,
    ),
    ("children know no import", "Upload batches/ItemSelector/importId.$", REMOVED, _CALLED_WITH),
    (
        "children get batches by the dozen",
        "Upload batches/ItemBatcher",
        {"MaxItemsPerBatch": 12},
        _CALLED_WITH,
    ),
    (
        "children share the history of the import",
        "Upload batches/ItemProcessor/ProcessorConfig/Mode",
        "INLINE",
        "state_machine.test_map_tolerates_all_failures_and_discards_results",
    ),
    (
        "children end after five minutes",
        "Upload batches/ItemProcessor/ProcessorConfig/ExecutionType",
        "EXPRESS",
        "state_machine.test_map_tolerates_all_failures_and_discards_results",
    ),
    (
        "the results of the map replace the import",
        "Upload batches/ResultPath",
        REMOVED,
        "execution.test_functions_are_called_with_import_and_batch",
    ),
    (
        "an import whose map is stopped has no report",
        "Upload batches/Catch",
        REMOVED,
        "execution.test_import_whose_map_is_stopped_is_finished",
    ),
    (
        "an import whose map is stopped loses its name",
        "Upload batches/Catch/0/ResultPath",
        REMOVED,
        "execution.test_import_whose_map_is_stopped_is_finished",
    ),
    (
        "an import is never finished",
        "Upload batches/Next",
        "Import succeeded",
        "execution.test_batch_accepted_is_checked_when_target_may_be_done",
    ),
    ("a reconciliation that fails is tried once more", "Finish import/Retry/0/MaxAttempts", 1, _RETRIED),
    (
        "a reconciliation is not tried again after errors of its own",
        "Finish import/Retry/1/ErrorEquals",
        ["Lambda.ServiceException"],
        _RETRIED,
    ),
    ("all imports retry at once", "Finish import/Retry/0/JitterStrategy", "NONE", _JITTER),
    ("a reconciliation that hangs is waited for", "Finish import/TimeoutSeconds", REMOVED, _GIVEN_UP),
    ("an import without a reconciliation does not say so", "Finish import/Catch", REMOVED, _UNRECONCILED),
    (
        "an import without a reconciliation looks incomplete",
        "Finish import/Catch/0/Next",
        "Import incomplete",
        _UNRECONCILED,
    ),
    ("every import succeeds", "Finish import/Next", "Import succeeded", _SENTENCE),
    ("the answer of finish_import is cut", "Finish import/OutputPath", "$.status", _SENTENCE),
    ("the answer of finish_import is put aside", "Finish import/ResultPath", "$.answer", _SENTENCE),
    (
        "finish_import is told more than the import",
        "Finish import/Parameters/batches.$",
        "$.batches",
        _CALLED_WITH,
    ),
    ("a wrong input is worked on", "What is asked?/Default", "Upload batches", _WRONG_INPUT),
    ("an input without an import is worked on", "What is asked?/Choices/3/And/0", REMOVED, _WRONG_INPUT),
    (
        "an input with a number as import is worked on",
        "What is asked?/Choices/3/And/1",
        REMOVED,
        _WRONG_INPUT,
    ),
    ("an input without batches is worked on", "What is asked?/Choices/3/And/2", REMOVED, _WRONG_INPUT),
    ("an input with texts as batches is worked on", "What is asked?/Choices/3/And/3", REMOVED, _WRONG_INPUT),
    ("a partial import succeeds", "Import complete?/Choices/1/Next", "Import succeeded", _SENTENCE),
    (
        "an import that succeeded fails",
        "Import complete?/Choices/0/Next",
        "Import incomplete",
        "execution.test_execution_ends_with_status_and_reason_of_the_summary",
    ),
    (
        "an import with an unknown status succeeds",
        "Import complete?/Default",
        "Import succeeded",
        _UNRECONCILED,
    ),
    (
        "the cause of a failed execution is not in the answer",
        "Import incomplete/CausePath",
        "$.reason",
        "execution.test_execution_ends_with_status_and_reason_of_the_summary",
    ),
    (
        "the error of a failed execution is not in the answer",
        "Import incomplete/ErrorPath",
        "$.error",
        "execution.test_execution_ends_with_status_and_reason_of_the_summary",
    ),
    ("a failed execution has no cause", "Import incomplete/CausePath", REMOVED, _SENTENCE),
    (
        "an incomplete import is a success",
        "Import incomplete",
        {"Comment": "End.", "Type": "Succeed"},
        _SENTENCE,
    ),
    ("nobody says what to do", "Import not reconciled/Cause", "It failed.", _UNRECONCILED),
    (
        "an import with a sample is not verified",
        "Upload batches/Next",
        "Finish import",
        "execution.test_import_with_a_sample_is_verified_before_it_is_finished",
    ),
    (
        "an import without a sample is verified",
        "To be verified?/Default",
        "Verify import",
        "execution.test_import_without_a_sample_is_not_verified",
    ),
    (
        "a verification that fails keeps an import from its end",
        "Verify import/Catch",
        REMOVED,
        "execution.test_verification_that_fails_for_ever_does_not_keep_an_import_from_its_end",
    ),
    (
        "a verification ends before all is read",
        "Wait to verify/Next",
        "Finish import",
        "execution.test_import_with_a_sample_is_verified_before_it_is_finished",
    ),
    (
        "a verification that cannot be looks like one that was",
        "Verified?/Choices/2/Next",
        "Finish import",
        "execution.test_verification_that_cannot_be_fails_with_the_reason",
    ),
    prefix="States/",
)

FAULTS = (
    *_DELIVERY,
    *_STORAGE,
    *_FUNCTIONS,
    *_PERMISSIONS,
    *_ALARMS,
    *_PARAMETERS,
    *_DEPLOYED_MACHINE,
    *_BATCHES,
    *_IMPORT,
)
