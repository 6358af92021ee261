"""Whether a step is faster on one thread or on all of them: found out by trying both, now and then.

Threads meet several times in a step, and what one has computed the other reads. Where cores share a cache that pays from some ten
microseconds of work on; where they lie apart, as those of a virtual machine do for minutes, a small step is faster on one thread;
and where somebody else keeps a core busy, waiting for its thread takes milliseconds. No table knows, but a clock does, and results
have the same bits for any number of threads.
"""

TRIED = 5
"""Calls that each number of threads is timed for; their medians are compared. Two are enough for what is far slower."""

PERIOD, RARELY = 250, 2000
"""Calls between two comparisons; rarely where they were far apart, so that trying costs next to nothing."""

FAR, LATE = 1.3, 1.5
"""How many times as long as the other the slower took, if they are far apart; and as long as before a call takes that is late."""

GAIN = 0.97
"""What share of the time a change must take at most."""


class Pace:
    """The number of threads for the next call.

    Parameters
    ----------
    most : int
        All threads that there are.

    Attributes
    ----------
    threads : int
        One or all.
    """

    def __init__(self, most: int):
        self.threads = self._most = most
        self._times: list[float] = []
        self._current = 0.0  # seconds of a step with the number of threads that is kept
        self._comparing, self._left = False, 0

    def note(self, seconds: float) -> None:
        """Take note of how long a call with `threads` took for each of its steps."""
        if self._most == 1:
            return
        if self._left > 0:  # late calls bring the next comparison nearer
            self._left -= 1 if seconds < LATE * self._current else PERIOD // TRIED
            return
        self._times.append(seconds)
        hopeless = self._comparing and len(self._times) == 2 and min(self._times) > FAR * self._current
        if len(self._times) < TRIED and not hopeless:
            return
        median = sorted(self._times)[len(self._times) // 2]
        self._times.clear()
        if not self._comparing:
            self._current, self._comparing = median, True
            self._change()
            return
        before, self._comparing = self._current, False
        if median < GAIN * before:
            self._current = median
        else:
            self._change()
        self._left = PERIOD if max(median, before) < FAR * min(median, before) else RARELY

    def _change(self) -> None:
        self.threads = 1 if self.threads > 1 else self._most
