"""A file from its drop to its last profile, on the deployed template."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

from local import sample
from simulator import fault
from tests.local.conftest import Stack, wait_until
from tests.worlds.deployable import parameters

pytestmark = pytest.mark.engine

CUSTOMERS = b"".join(
    [b"name,thirdPartyId,city\n"]
    + [f"Customer {n},c-{n},Z\u00fcrich {n} & more\n".encode() for n in range(1, 1_201)]
)


def merged(content: bytes, ids: set[str]) -> dict[str, dict[str, str]]:
    """Read a CSV file the plain way: what each id's profile must be."""
    profiles: dict[str, dict[str, str]] = {}
    text = io.StringIO(content.decode(errors="surrogateescape"), newline="")
    for row in csv.DictReader(text):
        if None not in row and (customer := row.pop("thirdPartyId")) in ids:
            values = {name: value for name, value in row.items() if value}
            profiles[customer] = profiles.get(customer, {}) | values
    return profiles


def decoded(bodies: Any) -> dict[str, dict[str, str]]:
    """Read bodies as a receiver would, independently of the simulator."""
    profiles: dict[str, dict[str, str]] = {}
    for body in bodies:
        assert not re.search(rb"[^A-Za-z0-9\-._~%,\n=]", body)
        header, *rows = body.decode("ascii").removeprefix("batch=").splitlines()
        _, *names = [unquote(name) for name in header.split(",")]
        for row in rows:
            customer, *values = [unquote(cell) for cell in row.split(",")]
            assert customer not in profiles
            profiles[customer] = {n: v for n, v in zip(names, values, strict=False) if v}
    return profiles


def test_every_row_of_the_sample_is_accounted_for(stack: Stack) -> None:
    expected = sample.make(1_800)
    ended = stack.bring("sample customers.csv", expected.content)
    ended.assert_accounted()
    assert ended.summary["status"] == "succeeded"
    assert ended.summary["rows"] == {
        "read": expected.read,
        "rejected": expected.rejected,
        "merged": expected.merged,
        "skipped": expected.skipped,
        "sent": len(expected.ids),
    }
    assert ended.summary["rejects"] == {
        "empty_id": 2,
        "id_character": 4,
        "id_too_long": 1,
        "invalid_utf8": 1,
        "too_many_cells": 1,
    }
    assert [batch["rows"] for batch in ended.summary["batches"]] == [500, 500, 500, 300]
    assert len(ended.arrivals) == 4
    assert decoded(ended.received.values()) == merged(expected.content, set(expected.ids))


@pytest.mark.fault(57, "the same input again, on the engine")
def test_starting_again_with_the_same_input_sends_nothing_twice(stack: Stack) -> None:
    ended = stack.bring("again.csv", CUSTOMERS)
    arrivals = len(stack.target.submissions)
    states = stack.deployment.engine.stepfunctions
    machine = stack.deployment.outputs["StateMachineArn"]
    given = json.dumps({"importId": ended.import_id, "batches": [1, 2, 3]})
    resumed = states.start_execution(stateMachineArn=machine, name="resumed", input=given)["executionArn"]
    wait_until(lambda: states.describe_execution(executionArn=resumed)["status"] != "RUNNING")
    assert states.describe_execution(executionArn=resumed)["status"] == "SUCCEEDED"
    assert len(stack.target.submissions) == arrivals


def test_no_more_children_run_than_batches_may_be_in_flight(stack: Stack) -> None:
    ended = stack.bring("limited.csv", CUSTOMERS)
    states = stack.deployment.engine.stepfunctions
    machine = stack.deployment.outputs["StateMachineArn"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{ended.import_id}"
    [run] = states.list_map_runs(executionArn=execution)["mapRuns"]
    limit = states.describe_map_run(mapRunArn=run["mapRunArn"])["maxConcurrency"]
    assert limit == parameters()["MaxInFlight"]["MaxValue"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"generation": 1}, {("success", "reported"): 1_198, ("error", "reported"): 2}),
        ({"generation": 2}, {("success", "implied"): 1_198, ("error", "reported"): 2}),
        ({"generation": 3}, {("success", "implied"): 1_200}),
        ({"generation": 4}, {("success", "implied"): 700, ("unknown", "counts"): 500}),
        ({"generation": 1, "flattened": True}, {("success", "reported"): 1_198, ("error", "reported"): 2}),
        (
            {"generation": 2, "raw_ampersand": False},
            {("success", "implied"): 1_198, ("error", "reported"): 2},
        ),
    ],
    ids=["1", "2", "3", "4", "1 flattened", "2 escaped"],
)
def test_never_claims_more_than_target_said(
    stack: Stack, answers: dict[str, Any], expected: dict[tuple[str, str], int]
) -> None:
    stack.target.configure(failed_ids=["c-7", "c-8"], **answers)
    ended = stack.bring("generations.csv", CUSTOMERS)
    ended.assert_accounted()
    results = [(row["status"], row["basis"]) for row in ended.profiles()]
    assert {kind: results.count(kind) for kind in results} == expected
    bad = {row["profile_id"] for row in ended.profiles() if row["status"] == "error"}
    assert bad == ({"c-7", "c-8"} if ("error", "reported") in expected else set())
    partial = any(status != "success" for status, _ in expected)
    assert ended.summary["status"] == ("partial" if partial else "succeeded")


def test_v1_with_pc_id_is_a_path_of_its_own(stack: Stack) -> None:
    stack.target.configure(generation=4, not_found_ids=["123"])
    page = b"batch=pcId, param1, param2, param3, param4\n123, value1\n124, value1,,, value4\n125,, value2\n"
    ended = stack.bring("sample.txt", page, "visitors", {"apiVersion": "v1"})
    ended.assert_accounted()
    [request] = [r for r in stack.target.submissions if r.sha256 in ended.arrivals]
    assert request.path == "/m2/demo/profile/batchUpdate"
    assert ended.summary["apiVersion"] == "v1"
    assert ended.summary["keyColumn"] == "pcId"
    assert ended.summary["profiles"]["unknown"] == 3
    assert decoded(ended.received.values()) == {
        "123": {"param1": "value1"},
        "124": {"param1": "value1", "param4": "value4"},
        "125": {"param2": "value2"},
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("no-key.csv", b"email,city\na@example.com,Bern\n"),
        ("twice.csv", b"thirdPartyId,city,city\n1,Bern,Basel\n"),
        ("quote.csv", b'thirdPartyId,city\n1,"Bern\n2,Basel\n'),
    ],
)
def test_a_file_that_cannot_be_read_sends_nothing(stack: Stack, name: str, content: bytes) -> None:
    ended = stack.bring(name, content)
    assert ended.summary["status"] == "rejected"
    assert ended.summary["reason"]
    assert ended.summary["batches"] == []
    assert ended.arrivals == []
    assert {"summary.json", "report.html"} <= ended.objects.keys()


def test_a_header_alone_ends_well(stack: Stack) -> None:
    ended = stack.bring("header.csv", b"thirdPartyId,city\n")
    assert ended.summary["rows"]["read"] == ended.summary["unaccounted"] == 0
    assert ended.arrivals == []


def test_a_busy_target_is_waited_for(stack: Stack) -> None:
    stack.target.script(fault("unavailable", times=3, headers={"Retry-After": "1"}))
    ended = stack.bring("busy.csv", CUSTOMERS)
    ended.assert_accounted()
    assert ended.summary["status"] == "succeeded"
    assert [batch["submissions"] for batch in ended.summary["batches"]] == [1, 1, 1]
    assert len(ended.arrivals) == 3


def test_a_refused_batch_has_results_of_its_own(stack: Stack) -> None:
    stack.target.script(fault("refused"))
    ended = stack.bring("refused.csv", CUSTOMERS)
    assert (ended.summary["status"], ended.summary["unaccounted"]) == ("partial", 0)
    [refused] = [batch for batch in ended.summary["batches"] if batch["state"] == "refused"]
    assert [row["status"] for row in ended.profiles()].count("error") == refused["rows"]
    assert len(ended.arrivals) == 2
