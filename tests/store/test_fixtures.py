"""Files that earlier versions wrote are open for ever: shown, verified, replayed, gone on with, and of the digest that they had."""

import hashlib
import shutil
from pathlib import Path

import h5py
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA
from tests.store.fixtures.make import make
from tinyticket.errors import InputError
from tinyticket.lottery.jobs.job import cpu
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.report import summary
from tinyticket.report.table import table
from tinyticket.store import layout

FIXTURES = Path(__file__).parent / "fixtures"
CPU = "emeraldrapids"
"""The kind of CPU on which they were made; another one comes to other last bits."""

TICKETS, REWOUND, MOVING = (
    "65aa74c4654dcd729f03908bface48b9e07e009296805e2e9caf66b2a3c804f4",
    "1d87b1fa3e1f0e90dc3176b8c94a4043bb31aef64b969c643c95c24d3991cce3",
    "595bf6d15afe1d83a175813dcfa4a898a7b31161d597e5b0b72e56ab9e8a165b",
)
DIGESTS = {
    "0_tickets": TICKETS,
    "0_rewound": REWOUND,
    "1_rewound": REWOUND,
    "1_moving": MOVING,
    "2_tickets": TICKETS,
}


@pytest.fixture(params=DIGESTS)
def name(request):
    return request.param


@pytest.fixture
def copy(name, path):
    return Path(shutil.copy(FIXTURES / f"{name}.h5", path))


def test_it_is_shown_and_has_the_digest_that_it_had(name, copy):
    before, result = hashlib.sha256(copy.read_bytes()).digest(), tt.load(copy)
    assert result.digest == summary(result)["digest"] == DIGESTS[name]
    rows = table(result)[0].row_count
    assert rows == len(result.trials[0].rounds) == (2 if "moving" in name else 3)
    assert result.verdict["densities"][0]["round"] == 1
    assert hashlib.sha256(copy.read_bytes()).digest() == before


def test_it_is_verified_as_far_as_it_goes(name, copy):
    checks = verify(tt.load(copy), data=DATA, threads=1, digest=DIGESTS[name])
    assert [check.failures for check in checks if check.failures] == []
    digests = next(check for check in checks if check.what.startswith("nothing was changed"))
    assert digests.standing == ("passed" if name.startswith("2") else "not checked")
    assert DIGESTS[name] in digests.reason or digests.checked


def test_a_round_comes_out_again(name, copy):
    result = tt.load(copy)
    control = next(iter(result.round(0, 1).controls))
    for which in (None, control):
        found = replay(result, 0, 1, which, data=DATA, threads=1)
        if cpu() == CPU:
            assert found.agrees, found.differences
        else:  # as far as another kind of CPU can tell
            assert max((one.largest for one in found.differences), default=0) < 0.05


def test_it_goes_on_as_if_it_had_never_stopped(copy, name):
    """To the same digest as when all is trained at once, where bits are the same."""
    which = name.partition("_")[2]
    more = {"trials": 2} if which == "moving" else {"rounds": 3}
    result = make(copy, which, **more)
    digests = result.digests
    assert digests.recorded.items() <= digests.found.items()
    assert None not in digests.recorded.values()
    if cpu() == CPU:
        assert result.digest == make(None, which, **more).digest


@pytest.mark.skipif(cpu() != CPU, reason="another kind of CPU comes to other last bits")
@pytest.mark.parametrize("name", DIGESTS, indirect=True)
def test_todays_version_comes_to_the_same_digest(name):
    assert make(None, name.partition("_")[2]).digest == DIGESTS[name]


def test_a_file_of_a_later_format_is_refused_in_words(copy):
    with h5py.File(copy, "r+") as file:
        file.attrs["format_version"] = layout.FORMAT_VERSION + 1
    with pytest.raises(InputError, match=r"has format version 2; this tinyticket \(.*\) reads up to 1"):
        tt.load(copy)
