"""How many threads are quickest at the time: found out by trying neighbouring numbers, now and then.

Threads meet several times in a step, and what one has computed the other reads. Where cores share a cache that pays from some ten
microseconds of work on; where they lie apart, as those of a virtual machine do for minutes, a small step is faster on one thread;
on many cores it is fastest on a few; and where another process keeps a core busy, waiting for its thread takes milliseconds. No
table knows, but a clock does, and results have the same bits for any number of threads.
"""

TRIED = 5
"""Measurements of each number of threads whose medians are compared. Two are enough for what is far slower."""

PERIOD = 250
"""Turns between two comparisons, if these cost next to nothing."""

SHARE = 0.04
"""What share of the time comparisons may cost."""

TICK = 1e-7
"""Seconds that anything takes at least: a coarse clock may see none go by."""

FAR, LATE = 1.3, 1.5
"""How many times as long as the other a slower number of threads takes, if it is far slower; and as long as before a turn takes
that is late."""

GAIN = 0.97
"""What share of the time a change must take at most."""

TRIAL, LOOK = 0.002, 0.05
"""Seconds of turns that are measured together while numbers of threads are compared, and between two looks at the clock
otherwise."""


class Pace:
    """The number of threads for the next turns.

    Parameters
    ----------
    most : int
        All threads that there are.

    Attributes
    ----------
    threads : int
        1, 2, 4 and so on, or all.
    """

    def __init__(self, most: int):
        self._choices = [1 << i for i in range(most.bit_length()) if 1 << i < most] + [most]
        self._at, self._step = len(self._choices) - 1, -1
        self._kept: int | None = None  # the choice that another is compared with
        self._times: list[float] = []
        self._cost = 0.0  # seconds that the present comparison has taken
        self._current = 0.0  # seconds of a turn with the choice that is kept
        self._rest = self._whole_rest = 0.0  # seconds until the next comparison, now and when it began

    @property
    def threads(self) -> int:
        """The number of threads to take now."""
        return self._choices[self._at]

    def turns(self, most: int) -> int:
        """Return after how many of the next turns to look at the clock, at most so many."""
        if not self._current:
            return 1
        return max(1, min(most, int((LOOK if self._rest > 0 else TRIAL) / self._current)))

    def note(self, seconds: float, turns: int = 1) -> None:
        """Take note of how long so many turns took with `threads`."""
        if len(self._choices) == 1:
            return
        seconds = max(seconds, TICK)
        each = seconds / turns
        if self._rest > 0:  # turns that are late bring the next comparison nearer
            self._rest -= seconds if each < LATE * self._current else max(seconds, self._whole_rest / TRIED)
            return
        self._times.append(each)
        self._cost += seconds
        hopeless = self._kept is not None and len(self._times) == 2 and min(self._times) > FAR * self._current
        if len(self._times) < TRIED and not hopeless:
            return
        median = sorted(self._times)[len(self._times) // 2]
        self._times.clear()
        if self._kept is None:
            self._current, self._kept, self._cost = median, self._at, 0.0
            self._at += self._step if 0 <= self._at + self._step < len(self._choices) else -self._step
        else:
            self._decide(median)

    def _decide(self, median: float) -> None:
        """Keep the quicker of two choices."""
        assert self._kept is not None
        before, step = self._current, self._at - self._kept
        wasted = self._cost * (1 - min(median, before) / max(median, before))
        if median < GAIN * before:
            self._current = median
            further = self._at + step
            if 0 <= further < len(self._choices):  # it may be better still
                self._kept, self._at, self._cost = self._at, further, 0.0
                return
        else:
            self._at = self._kept
        self._step, self._kept = -step, None
        self._rest = self._whole_rest = max(PERIOD * self._current, wasted / SHARE)
