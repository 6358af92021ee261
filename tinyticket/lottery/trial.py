"""One trial: an initialisation, its dense training, and the tickets found in it with their controls, round by round.

It goes straight through its jobs and waits only for what the next one needs: controls may be trained beside the next ticket.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinyticket.lottery import controls
from tinyticket.lottery.algorithm import Masks, State, find_tickets, reset
from tinyticket.lottery.jobs.job import CONTINUED, Job, Training
from tinyticket.lottery.mask_0 import frozen_weights
from tinyticket.lottery.methods.tickets import Tickets
from tinyticket.lottery.pruning import Pruner
from tinyticket.lottery.revision import Revision
from tinyticket.lottery.rewinding import Rewinding, kept_iteration
from tinyticket.lottery.start import Start
from tinyticket.lottery.streams import stream
from tinyticket.nn import Module
from tinyticket.results.naming import metric_of
from tinyticket.results.round import Round
from tinyticket.store import Checkpoint, Run

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment

Runs = dict[str | None, Run]
"""The trainings of a round by control: None for its ticket (in round 0 the dense network), CONTINUED for what is pruned next."""

Trainings = dict[str | None, Future[Run]]
"""The same while they are under way."""

Asked = Round | Future[Run]
"""A network of a finished round, or one that is being trained."""


class Memory:
    """What was trained before: the result file. This one holds nothing, and keeps nothing."""

    def recall(self, trial: int, round: int, masks: Masks, begun: bool = False) -> Round | None:
        """Return a finished round, or None; it has these masks, or with `begun` its training begins with them."""
        return None

    def trained(self, trial: int, round: int, control: str | None) -> Run | None:
        """Return a training of a round that is not finished, or None: controls may come to a round later."""
        return None

    def checkpoint(self, trial: int) -> Checkpoint:
        """Return the checkpoint to rewind to, of a trial whose round 0 is finished."""
        raise NotImplementedError

    def commit(self, trial: int, round: int, initial: State, runs: Runs) -> None:
        """Keep a finished round of a trial whose theta_0 is `initial`."""


class Open(NamedTuple):
    """A round whose trainings have been asked for."""

    round: int
    trainings: Trainings

    def waiting(self) -> list[Future[Run]]:
        """Return the trainings that are not done yet."""
        return [training for training in self.trainings.values() if not training.done()]


class TrialRun:
    """Runs a trial, or what is left of it."""

    def __init__(
        self,
        experiment: Experiment,
        number: int,
        memory: Memory,  # where finished rounds are
        submit: Callable[[Job], Future[Run]],
        initial: State,  # theta_0
        rounds: int | None = None,  # after which to stop, if not after the last one
    ):
        self.settings = settings = experiment.settings
        self.plan, self.method, self.draw = experiment.plan, experiment.method, experiment.workshop.draw
        self.number, self.initial, self._memory, self._submit = number, initial, memory, submit
        self.rounds = settings.rounds if rounds is None else rounds
        train = experiment.examples.train
        self.inputs = train[0]  # training examples, without their labels
        self.pruner = Pruner(settings, self.plan, number, initial, experiment.model, train, experiment.source)
        self.epoch = len(train[0]) // settings.batch_size  # iterations in which every training example is seen once
        self._experiment = experiment
        self.rewinding = Rewinding(settings.rewind, settings.rewind_to, initial, settings.rewind_optimizer)
        self.continues = settings.strategy == "continue"
        self._checkpoint: Checkpoint | None = None
        self._frozen: State = {}
        self._dense: list[Any] = []  # masks and trained weights of round 0
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
        one_shot, prunable = bool(self.settings.one_shot), list(self.plan.sizes)
        train, prune, rewind = self._train_or_recall, self.pruner.prune, self._rewound
        for number, *network in find_tickets(self.initial, prunable, train, prune, self.rounds, not one_shot, rewind):
            if number == 0:
                self._dense = network
            self._before = self._dense if one_shot else network

    def _run_in_training(self) -> None:
        """Train the dense network, and for every round another one whose mask is found in the course of its training.

        None of these waits for another: all begin at theta_0.
        """
        dense = self._ask(0, self.initial, self._dense_masks())
        begun: deque[tuple[int, Start, Future[Run]]] = deque()
        for round in range(1, self.rounds + 1):
            self._commit()
            start = self.method.start(self, round)
            if self._memory.recall(self.number, round, start.masks, begun=True) is None:
                begun.append((round, start, self._train(round, None, start)))
            while begun and begun[0][-1].done():
                self._found_in_training(dense, *begun.popleft())
        for each in begun:
            self._found_in_training(dense, *each)

    def _found_in_training(self, dense: Asked, round: int, start: Start, training: Future[Run]) -> None:
        """Train the controls of a round's network."""
        run = self._wait(training)
        if not self._dense:
            self._dense = [self._dense_masks(), self._trained(0, dense)]
        ticket = self.method.ticket(self, round, start, run)
        self._open.append(Open(round, {None: training, **self._train_controls(round, ticket, start)}))
        self._commit()

    def _train(self, round: int, control: str | None, start: Start, keep_at: int = 0) -> Future[Run]:
        if (run := self._memory.trained(self.number, round, control)) is not None:
            done = Future[Run]()
            done.set_result(run)
            return done
        metric = metric_of(vars(self.settings)).title
        training = Training(self.number, round, control, self.plan.densities[round], self._experiment.name, metric)
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
            round, trainings = self._open.popleft()
            runs = {control: training.result() for control, training in trainings.items()}
            self._memory.commit(self.number, round, self.initial, runs)

    def network(self) -> Module:
        """Return one of the experiment's networks, with whatever weights, to be changed."""
        return copy.deepcopy(self._experiment.model)

    def dense_start(self, mask: str | dict[str, Any], revision: Revision) -> Start:
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
        return self._trained(round, self._ask(round, start, masks))

    def _ask(self, round: int, start: State, masks: Masks) -> Asked:
        """Have a round trained unless it is finished; return its network, or what is pruned next beside it."""
        recorded = self._memory.recall(self.number, round, masks)
        if round:
            self._freeze(masks)
        if recorded is not None:
            return recorded.continued or recorded
        if round == 0:
            dense = Start(masks, start, {"weights": "init", "mask": "ticket", "statistics": "init"})
            trainings: Trainings = {None: self._train(0, None, dense, kept_iteration(self.settings))}
        else:
            trainings = self._train_round(round, start, masks)
        self._open.append(Open(round, trainings))
        return trainings.get(CONTINUED, trainings[None])

    def _trained(self, round: int, asked: Asked) -> State:
        """Return the trained weights of a network, and wait for its training if it is under way."""
        if isinstance(asked, Round):
            if round == 0 and kept_iteration(self.settings):
                self._checkpoint = self._memory.checkpoint(self.number)
            return asked.trained
        run = self._wait(asked)
        if round == 0:
            self._checkpoint = run.checkpoint
        self._commit()
        return run.trained

    def _train_round(self, round: int, start: State, masks: Masks) -> Trainings:
        ticket = self.ticket(round, masks, self._before[1])
        trainings: Trainings = {None: self._train(round, None, ticket.start)}
        if self.continues:
            stays = Rewinding("lr", self.settings.rewind_to, self.initial)
            trainings[CONTINUED] = self._train(round, CONTINUED, stays.start(None, start, masks, {"mask": "ticket"}))
        return trainings | self._train_controls(round, ticket)

    def _train_controls(self, round: int, ticket: controls.Ticket, begun: Start | None = None) -> Trainings:
        """Train the controls of a ticket, whose own training may have begun with another mask.

        Those of a ticket that is not trained are not either, but for `rewound`, which is what training makes of it.
        """
        trainings: Trainings = {}
        for name in self.settings.controls:
            key = (self.settings.seed, self.number, name, round)
            origin = {"stream": [*key]}
            start = controls.beside(name, ticket, begun) or controls.begin(name, ticket, stream(*key), origin)
            frozen = self._frozen_beside(ticket.start, start)
            trainings[name] = self._train(round, name, replace(start, frozen=frozen, trains=self.method.trains(name)))
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

    def ticket(self, round: int, masks: Masks, masked_by: State) -> controls.Ticket:
        """Return the ticket with these masks, and what its controls are made from.

        `masked_by` are the trained weights of the network that the masks came of.
        """
        # Where weights are rewound, another mask may keep any of them: the dense network is what it chooses from.
        among, trained = self._dense if self.settings.rewind == "weights" else self._before
        start = self.rewinding.start(self._checkpoint, trained, masks, {"mask": "ticket"})
        return controls.Ticket(
            start=replace(start, frozen=self._frozen),
            source=self.rewinding.target(self._checkpoint, trained),
            among=among,
            inverted=lambda: self.pruner.inverted(round, trained, among, start.counts),
            initial=self.initial,
            draw=self.draw,
            trained=masked_by,
            network=self.network,
        )
