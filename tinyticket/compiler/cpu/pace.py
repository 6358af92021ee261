"""How many threads are quickest at the time: found out by trying neighbouring numbers, now and then.

Threads meet several times in a step, and what one has computed the other reads. Where cores share a cache that pays from some ten
microseconds of work on; where they lie apart, as those of a virtual machine do for minutes, a small step is faster on one thread;
on many cores it is fastest on a few; and where another process keeps a core busy, waiting for its thread takes milliseconds. No
table knows, but a clock does, and results have the same bits for any number of threads.
"""

TRIED = 5
"""Measurements of each number of threads that are compared, the slowest left out. Two are enough for what is far slower."""

TRIAL, LOOK = 0.002, 0.05
"""Seconds of turns that are a measurement while numbers of threads are compared, and otherwise. A measurement is a mean: a thread
that waits for its core loses milliseconds in one turn and nothing in the next hundred."""

LEAST, PATIENT = LOOK, 8
"""Seconds between two comparisons that cost next to nothing, and how many times as long to wait for the next one while comparisons
change nothing."""

SHARE = 0.04
"""What share of the time comparisons may cost."""

UNTIMED, SHORT = 7, LOOK / 100
"""Calls between two looks at the clock while nothing is compared, and seconds of turns so short that a look counts."""

TICK = 1e-7
"""Seconds that anything takes at least: a coarse clock may see none go by."""

FAR = 1.3
"""How many times as long as another number of threads a far slower one takes."""

OTHER, IN_A_ROW = 1.5, 3
"""How many times as long, or as short, as before turns take if the machine is doing something else now, and in how many
measurements in a row that shows: a single one may have met with an accident."""

GAIN = 0.97
"""What share of the time a change must take at most."""


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
        self._seconds, self._turns = 0.0, 0  # of the measurement that is being taken
        self._measured: list[float] = []
        self._cost = 0.0  # seconds that the present comparison has taken
        self._current = 0.0  # seconds of a turn with the choice that is kept
        self._usual = 0.0  # the same, measured after the comparison
        self._rest = 0.0  # seconds until the next comparison
        self._others = 0  # measurements in a row that are unlike the usual one
        self._patience = 1

    @property
    def threads(self) -> int:
        """The number of threads to take now."""
        return self._choices[self._at]

    def turns(self, most: int) -> int:
        """Return after how many of the next turns to look at the clock, at most so many."""
        if not self._current:
            return 1
        return max(1, min(most, int((LOOK if self._rest > 0 else TRIAL) / self._current)))

    @property
    def untimed(self) -> int:
        """How many calls like the last one are to follow without a look at the clock."""
        return UNTIMED if self._rest > 0 and self._current < SHORT else 0

    def note(self, seconds: float, turns: int = 1, calls: int = 1) -> None:
        """Take note of how long so many turns took with `threads`, in one call that stands for so many."""
        if len(self._choices) == 1:
            return
        self._seconds += calls * max(seconds, TICK)
        self._turns += calls * turns
        resting = self._rest > 0
        if self._seconds < (LOOK if resting else TRIAL):
            return
        seconds, each = self._seconds, self._seconds / self._turns
        self._seconds, self._turns = 0.0, 0
        if resting:
            self._watch(seconds, each)
        else:
            self._compare(seconds, each)

    def _watch(self, seconds: float, each: float) -> None:
        """Wait for the next comparison, or until turns take another time than they did."""
        self._usual = self._usual or each
        self._rest -= seconds
        same = self._usual / OTHER < each < self._usual * OTHER
        self._others = 0 if same else self._others + 1
        if self._others == IN_A_ROW:
            self._rest, self._others, self._patience = 0.0, 0, 1

    def _compare(self, seconds: float, each: float) -> None:
        """Measure the choice that is kept, then another one."""
        self._measured.append(each)
        self._cost += seconds
        hopeless = self._kept is not None and len(self._measured) == 2 and min(self._measured) > FAR * self._current
        if len(self._measured) < TRIED and not hopeless:
            return
        usual = sorted(self._measured)[:-1]
        mean = sum(usual) / len(usual)
        self._measured.clear()
        if self._kept is None:
            self._current, self._kept, self._cost = mean, self._at, 0.0
            self._at += self._step if 0 <= self._at + self._step < len(self._choices) else -self._step
        else:
            self._decide(mean)

    def _decide(self, mean: float) -> None:
        """Keep the quicker of two choices."""
        assert self._kept is not None
        before, step = self._current, self._at - self._kept
        wasted = self._cost * (1 - min(mean, before) / max(mean, before))
        if mean < GAIN * before:
            self._current, self._patience = mean, 1
            further = self._at + step
            if 0 <= further < len(self._choices):  # it may be better still
                self._kept, self._at, self._cost = self._at, further, 0.0
                return
        else:
            self._at = self._kept
        self._step, self._kept, self._usual = -step, None, 0.0
        self._rest = self._patience * max(LEAST, self._cost, wasted / SHARE)
        self._patience = min(2 * self._patience, PATIENT)
