"""One trial: an initialisation, its dense training, and the tickets found in it with their controls, round by round.

It goes straight through its jobs and waits only for what the next one needs: controls may be trained beside the next ticket.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from tinyticket.lottery import controls
from tinyticket.lottery.algorithm import Masks, State, find_tickets, reset
from tinyticket.lottery.jobs.job import CONTINUED, Job, Training
from tinyticket.lottery.mask_0 import frozen_weights
from tinyticket.lottery.methods import method_of
from tinyticket.lottery.methods.tickets import Tickets
from tinyticket.lottery.plan import Plan
from tinyticket.lottery.pruning import Pruner
from tinyticket.lottery.rewinding import Rewinding
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.start import Revision, Start
from tinyticket.lottery.streams import stream
from tinyticket.results.result import Round
from tinyticket.store import Checkpoint, Run


@dataclass(frozen=True)
class Finished:
    """The trainings of one round.

    Attributes
    ----------
    initial : dict of arrays
        theta_0 of the trial.
    ticket : Run
        Of round 0: the dense network, with the checkpoint to rewind to if there is one.
    controls : dict of Run
    continued : Run or None
        Where training continues between prunings: the network that the next round prunes.
    """

    initial: State
    ticket: Run
    controls: dict[str, Run]
    continued: Run | None = None


class Memory(Protocol):
    """What was trained before: the result file, seen from one trial."""

    def recall(self, round: int, masks: Masks, begun: bool = False) -> Round | None:
        """Return a finished round, or None; it has these masks, or its training begins with them."""

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint to rewind to, of a trial whose round 0 is finished."""

    def commit(self, round: int, finished: Finished) -> None:
        """Keep a finished round."""


class Open(NamedTuple):
    """A round whose trainings have been asked for."""

    round: int
    ticket: Future[Run]
    controls: dict[str, Future[Run]]
    continued: Future[Run] | None = None

    def waiting(self) -> list[Future[Run]]:
        """Return the trainings that are not done yet."""
        every = (self.ticket, *self.controls.values(), *([self.continued] if self.continued else []))
        return [training for training in every if not training.done()]

    def finished(self, initial: State) -> Finished:
        """Return what came of it, or raise the error that a training ended with."""
        controls = {name: training.result() for name, training in self.controls.items()}
        continued = self.continued.result() if self.continued else None
        return Finished(initial, self.ticket.result(), controls, continued)


class TrialRun:
    """Runs a trial, or what is left of it.

    Parameters
    ----------
    number : int
    settings, plan
        Of the experiment.
    pruner : callable
        theta_0 -> what chooses the masks.
    draw : callable
        generator -> a freshly drawn theta_0.
    submit : callable
        Job -> Future of its Run.
    memory
        Where finished rounds are.
    initial : dict of arrays, optional
        theta_0, where it is not drawn.
    rounds : int, optional
        After which round to stop, if not the last one.
    experiment : str
        How a sweep calls it.
    """

    def __init__(
        self,
        number: int,
        settings: Settings,
        plan: Plan,
        pruner: Callable[[State], Pruner],
        draw: Callable[[np.random.Generator], State],
        submit: Callable[[Job], Future[Run]],
        memory: Memory,
        initial: State | None = None,
        rounds: int | None = None,
        experiment: str = "",
    ):
        self.number, self.settings, self.plan = number, settings, plan
        self.rounds = settings.rounds if rounds is None else rounds
        self.draw, self._submit, self._memory = draw, submit, memory
        self.method, self._experiment = method_of(settings), experiment
        self.initial = draw(stream(settings.seed, number, "init")) if initial is None else initial
        self.pruner = pruner(self.initial)
        self.rewinding = Rewinding(settings.rewind, settings.rewind_to, self.initial)
        self.continues = settings.strategy == "continue"
        self._checkpoint: Checkpoint | None = None
        self._frozen: State = {}
        self._open: deque[Open] = deque()

    def run(self) -> None:
        """Train what the memory does not hold; rounds come into it in their order."""
        if isinstance(self.method, Tickets):
            self._run_tickets()
        else:
            self._run_in_training()
        while self._open:
            wait(self._open[0].waiting())
            self._commit()

    def _run_tickets(self) -> None:
        one_shot = bool(self.settings.one_shot)
        rounds = find_tickets(
            self.initial,
            list(self.plan.sizes),
            self._train_or_recall,
            self.pruner.prune,
            self.rounds,
            iterative=not one_shot,
            rewind=self._rewound,
        )
        for number, masks, trained in rounds:
            if number == 0:
                self._dense = masks, trained
            self._before = self._dense if one_shot else (masks, trained)

    def _run_in_training(self) -> None:
        """Train the dense network, and for every round another one whose mask is found in the course of its training."""
        dense = self._dense_masks()
        self._dense = dense, self._train_or_recall(0, self.initial, dense)
        for round in range(1, self.rounds + 1):
            start = self.method.start(self, round)
            if self._memory.recall(round, start.masks, begun=True) is None:
                training = self._train(round, None, start)
                ticket = self.method.ticket(self, round, start, self._wait(training))
                self._open.append(Open(round, training, self._train_controls(round, ticket, start)))
                self._commit()

    def _train(self, round: int, control: str | None, start: Start, keep_at: int = 0) -> Future[Run]:
        training = Training(self.number, round, control, self.plan.densities[round], self._experiment)
        return self._submit(Job(training, start, keep_at))

    def _wait(self, training: Future[Run]) -> Run:
        """Wait for a training, and meanwhile commit rounds whose controls are done."""
        while not training.done():
            wait([training, *(self._open[0].waiting() if self._open else [])], return_when=FIRST_COMPLETED)
            self._commit()
        return training.result()

    def _commit(self) -> None:
        """Commit the rounds that are done, up to the first one that is not."""
        while self._open and not self._open[0].waiting():
            done = self._open.popleft()
            self._memory.commit(done.round, done.finished(self.initial))

    @property
    def epoch(self) -> int:
        """Iterations in which every training example is seen once."""
        return self.pruner.examples // self.settings.batch_size

    def dense_start(self, mask: str, revision: Revision) -> Start:
        """Return a start at theta_0 of all weights, some of which a revision takes away; `mask` names the way in the file."""
        dense = self._dense_masks()
        origin = {"weights": "init", "mask": mask, "statistics": "init"}
        return Start(dense, reset(self.initial, dense), origin, revision=revision)

    def _dense_masks(self) -> Masks:
        return {name: np.ones(self.initial[name].shape, bool) for name in self.plan.sizes}

    def _rewound(self, trained: State) -> State:
        """Return what the network goes on from whose training the next round prunes."""
        return trained if self.continues else self.rewinding.target(self._checkpoint, trained)

    def _train_or_recall(self, round: int, start: State, masks: Masks) -> State:
        recorded = self._memory.recall(round, masks)
        if round:
            self._freeze(masks)
        if recorded is not None:
            if round == 0 and self.settings.rewind_to and self.settings.rewind == "weights":
                self._checkpoint = self._memory.checkpoint()
            return recorded.continued.trained if recorded.continued else recorded.trained
        opened = self._train_dense(start, masks) if round == 0 else self._train_round(round, start, masks)
        self._open.append(opened)
        run = self._wait(opened.continued or opened.ticket)
        if round == 0:
            self._checkpoint = run.checkpoint
        self._commit()
        return run.trained

    def _train_dense(self, start: State, masks: Masks) -> Open:
        origin = {"weights": "init", "mask": "ticket", "statistics": "init"}
        keep_at = self.settings.rewind_to if self.settings.rewind == "weights" else 0
        return Open(0, self._train(0, None, Start(masks, start, origin), keep_at), {})

    def _train_round(self, round: int, start: State, masks: Masks) -> Open:
        ticket, continued = self.ticket(round, masks), None
        training = self._train(round, None, ticket.start)
        if self.continues:
            stays = Rewinding("lr", self.settings.rewind_to, self.initial)
            continued = self._train(round, CONTINUED, stays.start(None, start, masks, {"mask": "ticket"}))
        return Open(round, training, self._train_controls(round, ticket), continued)

    def _train_controls(
        self, round: int, ticket: controls.Ticket, begun: Start | None = None
    ) -> dict[str, Future[Run]]:
        """Train the controls of a ticket, whose own training may have begun with another mask.

        Those of a ticket that is not trained are not either, but for `rewound`, which is what training makes of it.
        """
        trainings = {}
        for name in self.settings.controls:
            origin = {"stream": [self.settings.seed, self.number, name, round]}
            rng = stream(self.settings.seed, self.number, name, round)
            start = controls.beside(name, ticket, begun) or controls.begin(name, ticket, rng, origin)
            frozen = self._frozen_beside(ticket.start, start)
            start = replace(start, frozen=frozen, trains=self.method.trains(name))
            trainings[name] = self._train(round, name, start)
        return trainings

    def _freeze(self, masks: Masks) -> None:
        """Say what the weights are that a round has pruned, those of the rounds before included."""
        before, trained = self._before
        held = {} if self.settings.one_shot else self._frozen
        self._frozen = frozen_weights(self.settings.mask_0, self.initial, trained, before, masks, held)

    def _frozen_beside(self, ticket: Start, control: Start) -> State:
        """Return what a control's pruned weights are: the ticket's under its mask, and the same action under another one.

        Another mask is one of the dense network, whose training says which weights moved away from zero.
        """
        if all(np.array_equal(control.masks[name], ticket.masks[name]) for name in ticket.frozen):
            return ticket.frozen
        masks, trained = self._dense
        return frozen_weights(self.settings.mask_0, self.initial, trained, masks, control.masks, {})

    def ticket(self, round: int, masks: Masks) -> controls.Ticket:
        """Return the ticket with these masks, and what its controls are made from."""
        rewinding, weights_stay = self.rewinding, self.settings.rewind != "weights"
        # Where weights are rewound, another mask may keep any of them: the dense network is what it chooses from.
        among, trained = self._before if weights_stay else self._dense
        start = rewinding.start(self._checkpoint, trained, masks, {"mask": "ticket"})
        start = replace(start, frozen=self._frozen)
        return controls.Ticket(
            start=start,
            source=rewinding.target(self._checkpoint, trained),
            among=among,
            inverted=lambda: self.pruner.inverted(round, trained, among, start.counts),
            initial=self.initial,
            draw=self.draw,
        )


def reached(rounds: list[Round]) -> int:
    """Return how many trainings these rounds are."""
    runs = [run for round in rounds for run in (round, *round.controls.values(), round.continued) if run is not None]
    return sum(run.origin.get("training") != "none" for run in runs)
