"""The fake of Lambda: what it refuses, and the context of its invocations."""

from __future__ import annotations

from collections.abc import Callable

from tests.worlds.aws.functions import MOST_EVENT_BYTES, Context, Functions

type Refused = Callable[[Callable[[], object]], str]


def test_event_of_more_than_256_kib_is_refused(refused: Refused) -> None:
    functions = Functions(frozenset({"split"}))

    def invoke(size: int, name: str = "split") -> None:
        functions.invoke(FunctionName=name, InvocationType="Event", Payload='"' + "x" * (size - 2) + '"')

    invoke(MOST_EVENT_BYTES)
    assert refused(lambda: invoke(MOST_EVENT_BYTES + 1)) == "RequestTooLargeException"
    assert refused(lambda: invoke(2, "other")) == "ResourceNotFoundException"
    assert len(functions.take()) == 1
    assert not functions.take()


def test_each_invocation_has_a_request_id_of_its_own() -> None:
    assert len({Context("split").aws_request_id for _ in range(100)}) == 100


def test_time_of_an_invocation_runs_out() -> None:
    context = Context("split", remaining=iter([100_000, 1]))
    assert [context.get_remaining_time_in_millis() for _ in range(2)] == [100_000, 1]
