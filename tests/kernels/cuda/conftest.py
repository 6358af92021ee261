"""Every launch of every test is one that is compiled too: the simulator takes arguments of any type, a device does not.

Simulated devices are scheduled more quickly here.
"""

import pytest

from tests import simulator
from tests.kernels.cuda import assembly
from tinyticket.kernels.cuda.launch import Launch, Routine

simulator.install()
run = Launch.run


def checked_run(launch, stream=0):
    """Run a launch if its kernel is compiled for these types."""
    if not isinstance(launch.kernel, Routine):
        compiled = [signature for kernel, signature in assembly.SIGNATURES.values() if kernel is launch.kernel]
        assert compiled, f"{launch.kernel} is not in assembly.SIGNATURES"
        assert assembly.signature_of(launch) in compiled
    run(launch, stream)


@pytest.fixture(autouse=True)
def _launches_are_compiled(monkeypatch):
    monkeypatch.setattr(Launch, "run", checked_run)
