"""A simulated Target: a real HTTP server with the Bulk Profile Update API, v1 and v2.

    with simulator.running(Settings(generation=2)) as target:
        ...  # send to target.url
        target.script(fault("unavailable", times=3, headers={"Retry-After": "5"}))
        assert target.profile("a1") == {"city": "Zürich"}

It parses a body as Target would, keeps the profiles, and shows what it has received. It is built on the
standard library's server because the faults need the bare socket: to reset a connection halfway through a
body, to answer one byte at a time, not to answer at all.
"""

from simulator.dialects import DialectError
from simulator.scripts import FAULTS, Fault, Reset, fault
from simulator.server import Simulator, running
from simulator.settings import Settings

__all__ = ["FAULTS", "DialectError", "Fault", "Reset", "Settings", "Simulator", "fault", "running"]
