"""A client code's own limits: what is valid, every fault at once, and what they take the place of."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bulk_profiles.budget.client_limits import BOUNDS, ClientLimits
from bulk_profiles.budget.policy import Policy
from bulk_profiles.core.errors import SettingsError

DEPLOYED = Policy(
    calls_per_minute=50,
    max_in_flight=10,
    rows_per_day=1000,
    reset_hour=4,
    time_zone="Europe/Paris",
    upload_window="20:00-06:00",
    retry_seconds=7,
)
ALL: dict[str, Any] = {
    "callsPerMinute": 20,
    "maxInFlight": 2,
    "rowsPerDay": 0,
    "resetHour": 0,
    "timeZone": "Asia/Tokyo",
    "uploadWindow": "",
}


def test_a_client_without_a_file_has_the_limits_of_the_deployment() -> None:
    assert ClientLimits.read(None, "demo").over(DEPLOYED) == DEPLOYED
    assert ClientLimits.read({}, "demo").over(DEPLOYED) == DEPLOYED
    assert ClientLimits.read(dict.fromkeys(ALL), "demo").over(DEPLOYED) == DEPLOYED


@pytest.mark.parametrize("key", list(ALL))
def test_each_field_takes_the_place_of_the_parameter_of_its_name_alone(key: str) -> None:
    """Also 0 and an empty window, which are values: no limit, the hour of midnight, always."""
    name = {
        "callsPerMinute": "calls_per_minute",
        "maxInFlight": "max_in_flight",
        "rowsPerDay": "rows_per_day",
    }
    name |= {"resetHour": "reset_hour", "timeZone": "time_zone", "uploadWindow": "upload_window"}
    changed = ClientLimits.read({key: ALL[key]}, "demo").over(DEPLOYED)
    assert changed == dataclasses.replace(DEPLOYED, **{name[key]: ALL[key]})


@pytest.mark.parametrize("key", list(BOUNDS))
def test_numbers_are_whole_and_within_their_bounds(key: str) -> None:
    least, most = BOUNDS[key]
    for value in (least, most, float(most)):
        ClientLimits.read({key: value}, "demo")
    for wrong in (least - 1, most + 1, least + 0.5, str(most), True, [most], float("inf"), float("nan")):
        with pytest.raises(SettingsError, match=f"{key} must be a whole number from {least} to {most}"):
            ClientLimits.read({key: wrong}, "demo")


def test_every_number_within_the_bounds_makes_a_policy() -> None:
    for end in (0, 1):
        ClientLimits.read({key: bounds[end] for key, bounds in BOUNDS.items()}, "demo").over(DEPLOYED)


def test_error_names_the_file_every_fault_what_may_be_meant_and_the_remedy() -> None:
    wrong = {
        "rowsPerDya": 5,
        "maxInFlight": 11,
        "timeZone": "Europe/Pari",
        "uploadWindow": "20-06",
        "resetHour": "6",
    }
    with pytest.raises(SettingsError) as raised:
        ClientLimits.read(wrong, "acme")
    assert str(raised.value) == (
        "clients/acme.json in the Data bucket makes no sense: maxInFlight must be a whole number from "
        "1 to 10; resetHour must be a whole number from 0 to 23; timeZone: The time zone is not known here: "
        "write it as Europe/Paris, and see that the function carries the tzdata package; uploadWindow: The "
        "upload window makes no sense: write it as 20:00-06:00 or Mon-Fri 20:00-06:00, or leave it empty for "
        "always; the file has unknown fields: rowsPerDya (did you mean rowsPerDay?). Mend it, or delete it: "
        "without it, the parameters of the stack hold."
    )


@pytest.mark.parametrize(
    "data", [[], "50", 50, True, {"timeZone": 1}, {"uploadWindow": False}, {"timeZone": ""}]
)
def test_what_is_no_object_of_limits_is_an_error(data: Any) -> None:
    with pytest.raises(SettingsError, match=r"clients/demo\.json"):
        ClientLimits.read(data, "demo")
