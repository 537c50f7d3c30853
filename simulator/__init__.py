"""A Target of one's own: a real HTTP server that speaks the Bulk Profile Update API, v1 and v2.

    with simulator.running(Settings(generation=2)) as target:
        ...  # send to target.url
        target.script(fault("unavailable", times=3, headers={"Retry-After": "5"}))
        assert target.profile("a1") == {"city": "Zürich"}

It looks at a body as the receiver would, keeps what it understood, and shows what it received.
The standard library's server is used because the faults need the bare socket: to reset a connection
halfway through a body, to answer one byte at a time, to say nothing at all.
"""

from simulator.scripts import FAULTS, Fault, Reset, fault
from simulator.server import Simulator, running
from simulator.settings import Settings

__all__ = ["FAULTS", "Fault", "Reset", "Settings", "Simulator", "fault", "running"]
