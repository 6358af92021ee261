"""Signals become one exception, which waits while a block must not be interrupted."""

import os
import signal
import threading

import pytest

from tinyticket import interruption
from tinyticket.interruption import ENDING, Interrupted, deferred, gate, kept_from_children, listen, report

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


@pytest.fixture
def listening(monkeypatch):
    """Hear signals in this process, each for its own, until the test's end."""
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:  # whatever started the tests may have them ignored
        signal.signal(number, signal.SIG_DFL)
    monkeypatch.setattr(interruption, "PATIENCE", 0.0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listen()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_in_a_deferring_block_is_heard_after_it(number, listening):
    def interrupt():
        with deferred():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            done.append("the block")
        done.append("more")

    done = []
    with pytest.raises(Interrupted) as stop:
        interrupt()
    assert done == ["the block"]
    assert stop.value.signal == number
    with pytest.raises(Interrupted):
        os.kill(os.getpid(), number)


def test_an_ignored_signal_stays_ignored(listening):
    with deferred():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_other_threads_defer_nothing():
    def defer():
        with deferred():
            handlers.append(signal.getsignal(signal.SIGINT))

    handlers = [signal.getsignal(signal.SIGINT)]
    thread = threading.Thread(target=defer)
    thread.start()
    thread.join()
    assert handlers[0] is handlers[1]


def test_a_gate_lets_signals_through_while_it_is_open_and_hears_the_first_when_it_opens(listening):
    heard, handler = [], signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    with gate() as one:
        os.kill(os.getpid(), signal.SIGTERM)
        assert len(heard) == 1
        for times in (2, 3):
            one.is_closed = True
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            assert len(heard) == times - 1
            one.open()
            assert len(heard) == times
        one.is_closed = True
        os.kill(os.getpid(), signal.SIGTERM)
    assert len(heard) == 4
    signal.signal(signal.SIGTERM, handler)


def test_signals_that_follow_at_once_do_not_disturb_the_end(listening, monkeypatch):
    monkeypatch.setattr(interruption, "PATIENCE", 60.0)
    listen()
    with pytest.raises(Interrupted):
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)


def test_children_inherit_the_blocking(listening):
    with kept_from_children():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_the_report_is_a_sentence_with_what_is_kept(capsys):
    stop = Interrupted(signal.SIGTERM)
    stop.add_note("the finished rounds are in a.h5")
    assert (report(stop), report(KeyboardInterrupt())) == (143, 130)
    assert capsys.readouterr().err.splitlines() == [
        "tinyticket: stopped by SIGTERM; the finished rounds are in a.h5. Run the same command again to go on.",
        "tinyticket: stopped; run the same command again",
    ]
