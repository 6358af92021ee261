"""What goes back after pruning, and what does not: seen from the file, replayed from it, and resumed."""

import itertools
import json

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    DATA,
    MODEL,
    SMALL,
    Recorder,
    contents,
    differing,
    equal_bytes,
    find,
    interrupted,
)
from tests.lottery.networks import Counting, Watching
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment, reset, stream
from tinyticket.lottery.settings import resolve
from tinyticket.lottery.start import Start
from tinyticket.optim import MultiStep, Warmup

FRACTIONS = {"fc1.weight": 0.2, "fc2.weight": 0.2, "output.weight": 0.1}
MODES = {
    "late": {"rewind_to": 7},
    "late, eager": {"rewind_to": 7, "eager": True},
    "late, momentum and schedule": {
        "rewind_to": 5, "optimizer": "momentum", "schedule": Warmup(8, MultiStep((15,))), "weight_decay": 0.01
    },
    "late, one-shot": {"rewind_to": 7, "rounds": None, "one_shot": [0.5, 0.2]},
    "late, new optimizer": {"rewind_to": 7, "rewind_optimizer": "new", "optimizer": "momentum"},
    "lr": {"rewind": "lr", "rewind_to": 4, "schedule": MultiStep((10,))},
    "lr, from 0": {"rewind": "lr"},
    "lr, one-shot": {"rewind": "lr", "rounds": None, "one_shot": [0.5, 0.2]},
    "finetune": {"rewind": "finetune", "rewind_to": 12, "schedule": MultiStep((10,))},
    "continue": {"strategy": "continue"},
    "continue, late, eager": {"strategy": "continue", "rewind_to": 7, "eager": True, "schedule": MultiStep((10,))},
}  # fmt: skip
modes = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


def replay(result, round, start, **mode):
    """Train again from a start; return the run."""
    experiment = Experiment(MODEL, DATA, **{**SMALL, **mode})
    streams = (stream(0, 0, purpose, round) for purpose in ("batches", "dropout"))
    return experiment.trainer.train(start, *streams)


def numbers(result):
    return [(run.number, run) for run in result.trials[0].rounds[1:]]


def normalised(rng):
    return tt.nn.Sequential(
        tt.nn.Linear(12, 8, rng=rng), tt.nn.BatchNorm1d(8), tt.nn.ReLU(), tt.nn.Linear(8, 3, rng=rng)
    )


# -- weights


@pytest.mark.parametrize("eager", [False, True])
def test_late_rewinding_restores_theta_k_and_the_optimizer_and_trains_what_is_left(eager):
    mode = {"rewind_to": 7, "eager": eager, "optimizer": "momentum", "schedule": Warmup(12)}
    result = find(**mode)
    at_k = result.rewind(0)
    dense = find(**{**mode, "rewind_to": 0, "iterations": 7, "rounds": 0}).trials[0].rounds[0]
    assert equal_bytes(at_k.state, dense.trained)
    for number, ticket in numbers(result):
        start = Start(ticket.masks, reset(at_k.state, ticket.masks), {}, 7, optimizer=at_k)
        run = replay(result, number, start, **mode)
        assert equal_bytes(run.trained, ticket.trained)
        assert run.history.tobytes() == ticket.history.tobytes()
        assert ticket.history["iteration"].tolist() == [7, 10, 15, 20]
        assert ticket.origin == {
            "weights": "rewind", "statistics": "rewind", "mask": "ticket", "iteration": 7, "optimizer": "rewind",
            "learning_rate": "schedule",
        }  # fmt: skip


def test_a_new_optimizer_after_late_rewinding_remembers_nothing_and_changes_no_start():
    mode = {"rewind_to": 7, "optimizer": "momentum", "rewind_optimizer": "new"}
    result, rewound = find(**mode), find(**{**mode, "rewind_optimizer": "rewound"})
    assert "rewind_optimizer" not in rewound.config
    assert equal_bytes(result.trials[0].rounds[0].trained, rewound.trials[0].rounds[0].trained)
    for (number, ticket), (_, other) in zip(numbers(result), numbers(rewound), strict=True):
        run = replay(result, number, Start(ticket.masks, reset(result.rewind(0).state, ticket.masks), {}, 7), **mode)
        assert equal_bytes(run.trained, ticket.trained)
        assert (ticket.origin["optimizer"], other.origin["optimizer"]) == ("new", "rewind")
        assert ticket.origin["iteration"] == 7
        assert not equal_bytes(ticket.trained, other.trained)


def test_a_ticket_at_k_sees_the_batches_of_the_iterations_from_there_on():
    seen, progress = [], Recorder()
    find(lambda rng: Watching(seen, rng), rounds=1, rewind_to=7, callbacks=progress)
    dense, ticket, reinit, random = np.split(np.array(seen, object), [20, 33, 53])
    assert [arguments[2] for arguments in progress.of("training_begun")] == [None, None, "reinit", "random"]
    assert list(ticket) == list(random) == list(reinit[7:])  # the stream of the round, from its eighth batch on
    assert list(dense[7:]) != list(ticket)


@pytest.mark.parametrize("prune", [0.2, 0.5])
def test_counts_are_the_same_however_far_one_goes_back(prune):
    left = [
        [round.weights_left for round in find(prune=prune, **mode).trials[0].rounds] for mode in (MODES["late"], {})
    ]
    assert left[0] == left[1]


def test_buffers_go_back_to_iteration_k():
    result = find(lambda rng: Counting(rng), rewind_to=7)
    assert result.rewind(0).state["steps"].tolist() == [7]
    for round in result.trials[0].rounds[1:]:
        assert round.trained["steps"].tolist() == [20]  # counted on from 7
        assert round.controls["random"].trained["steps"].tolist() == [20]
        assert round.controls["reinit"].trained["steps"].tolist() == [20]  # from 0: its training is a whole one


@pytest.mark.parametrize("mode", [{"rewind_to": 7}, {"rewind": "lr", "rewind_to": 7}, {}], ids=str)
def test_running_statistics_go_back_with_the_weights(mode):
    """Evaluated at its start, a ticket has the statistics of where its weights come from."""
    result = find(normalised, rounds=1, controls="random", **mode)
    dense, ticket = result.trials[0].rounds
    source = dense.trained if "rewind" in mode else result.rewind(0).state if mode else result.init(0)
    model = normalised(0)
    for run in (ticket, ticket.controls["random"]):
        for name, parameter in model.named_parameters():
            parameter.mask = run.masks.get(name)
        model.load_state_dict(reset(source, run.masks))
        with tt.no_grad():
            hits = (model.eval()(tt.Tensor(DATA.x_test)).data.argmax(axis=1) == DATA.y_test).mean()
        assert run.history["test_accuracy"][0] == hits
    assert any(source["1.running_mean"]) == bool(mode)


def test_rewinding_to_0_is_the_papers_reset_and_keeps_nothing_beside_theta_0(small, tmp_path):
    assert differing(contents(find(trials=2, rewind_to=0), tmp_path), contents(small.path)) == []
    with pytest.raises(InputError, match=r"nothing to rewind to but theta_0, which is init\(0\)"):
        small.rewind(0)


# -- learning rate, fine-tuning


@pytest.mark.parametrize(("what", "to"), [("lr", 0), ("lr", 7), ("finetune", 0), ("finetune", 15)])
def test_where_weights_stay_they_are_the_last_rounds_under_the_new_mask(what, to):
    mode = {"rewind": what, "rewind_to": to, "schedule": MultiStep((10,), 0.1)}
    result = find(**mode)
    for before, ticket in itertools.pairwise(result.trials[0].rounds):
        weights = {name: before.trained[name] for name in FRACTIONS}
        assert equal_bytes(ticket.masks, tt.prune.magnitude(weights, before.masks, FRACTIONS))
        start = Start(ticket.masks, reset(before.trained, ticket.masks), {}, to, last_rate=what == "finetune")
        run = replay(result, ticket.number, start, **mode)
        assert equal_bytes(run.trained, ticket.trained)
        assert ticket.history["iteration"][[0, -1]].tolist() == [to, 20]
        assert ticket.origin == {
            "weights": "trained", "statistics": "trained", "mask": "ticket", "iteration": to, "optimizer": "new",
            "learning_rate": "last" if what == "finetune" else "schedule",
        }  # fmt: skip


def test_fine_tuning_goes_on_at_the_last_learning_rate():
    """At a last rate of 0 nothing moves any more; learning-rate rewinding goes back to where it is not 0."""
    frozen_at_the_end = MultiStep((19,), 0.0)
    for what, moves in (("finetune", False), ("lr", True)):
        dense, ticket, _ = find(rewind=what, optimizer="sgd", schedule=frozen_at_the_end).trials[0].rounds
        kept = ticket.masks["fc1.weight"]
        assert (dense.trained["fc1.weight"][kept] != ticket.trained["fc1.weight"][kept]).any() == moves


# -- the paper's strategy 2


def test_continued_training_prunes_a_network_that_keeps_its_weights_and_resets_the_tickets():
    result = find(strategy="continue")
    dense, *tickets = result.trials[0].rounds
    before = dense
    for ticket in tickets:
        weights = {name: before.trained[name] for name in FRACTIONS}
        assert equal_bytes(ticket.masks, tt.prune.magnitude(weights, before.masks, FRACTIONS))
        assert equal_bytes(ticket.continued.masks, ticket.masks)
        for run, source in ((ticket, result.init(0)), (ticket.continued, before.trained)):
            start = Start(ticket.masks, reset(source, ticket.masks), {})
            assert equal_bytes(replay(result, ticket.number, start).trained, run.trained)
        assert (ticket.origin["weights"], ticket.continued.origin["weights"]) == ("init", "trained")
        before = ticket.continued
    assert dense.continued is None
    assert not equal_bytes(tickets[1].masks, find().trials[0].rounds[2].masks)


def test_continued_trainings_are_counted_and_told():
    progress = Recorder()
    find(strategy="continue", controls="none", callbacks=progress)
    assert progress.of("run_begun") == [(5, 20, 0)]
    assert [arguments[:3] for arguments in progress.of("training_begun")] == [
        (0, 0, None), (0, 1, None), (0, 1, "continued"), (0, 2, None), (0, 2, "continued"),
    ]  # fmt: skip


@modes
def test_the_result_gives_every_start_and_its_first_accuracy(mode):
    result = find(controls="none", **mode)
    for round in result.trials[0].rounds:
        start = result.start(0, round.number)
        run = replay(
            result, round.number,
            Start(
                round.masks, start, {}, round.origin["iteration"],
                optimizer=result.rewind(0) if round.origin["optimizer"] == "rewind" else None,
                last_rate=round.origin["learning_rate"] == "last",
            ), **mode,
        )  # fmt: skip
        assert equal_bytes(run.trained, round.trained)
        with tt.no_grad():
            predicted = result.model(0, round.number, "start")(tt.Tensor(DATA.x_test)).data.argmax(axis=1)
        assert round.history["test_accuracy"][0] == (predicted == DATA.y_test).mean()


# -- controls


@modes
def test_every_control_can_run_beside_every_mode(mode):
    left_out = "noise-1", "noise-2", "noise-3", "rewired"  # the last is one of networks that were never dense
    names = [name for name in tt.lottery.controls.KINDS if name not in left_out]
    result = find(controls=names, trials=1, **mode)
    for _, round in numbers(result):
        assert list(round.controls) == names
        for name, control in round.controls.items():
            assert {n: m.sum() for n, m in control.masks.items()} == {n: m.sum() for n, m in round.masks.items()}
            redrawn = name in ("reinit", "reinit-signed", "reinit-trained-signs", "constant-signed")
            assert control.history["iteration"][0] == (0 if redrawn else mode.get("rewind_to", 0))
            json.dumps(control.origin)
            assert sum(control.origin["differs"].values()) > 0


def test_a_control_of_a_late_ticket_has_its_weights_optimizer_and_batches():
    result = find(rewind_to=7, controls="random")
    at_k = result.rewind(0)
    for number, ticket in numbers(result):
        control = ticket.controls["random"]
        start = Start(control.masks, reset(at_k.state, control.masks), {}, 7, optimizer=at_k)
        assert equal_bytes(replay(result, number, start, rewind_to=7).trained, control.trained)


# -- determinism, going on


@modes
def test_the_same_bits_again_and_after_interruptions_anywhere(mode, out):
    mode = {"controls": "random", **mode}
    interrupted(find, times=2, out=out, **mode)
    assert differing(contents(out), contents(find(**mode), out.parent)) == []


@pytest.mark.parametrize("name", ["late", "lr", "continue, late, eager"])
def test_more_rounds_and_trials_extend(name, out):
    mode = MODES[name]
    find(**{**mode, "rounds": 1}, out=out)
    result = find(trials=2, out=out, **mode)
    assert differing(contents(find(trials=2, **mode), out.parent), contents(result.path)) == []


def test_another_iteration_to_rewind_to_is_another_experiment(out):
    find(rounds=1, rewind_to=7, out=out)
    with pytest.raises(InputError, match="rewind-to was 7 and is now 8"):
        find(rounds=1, rewind_to=8, out=out)
    with pytest.raises(InputError, match="rewind was weights and is now lr"):
        find(rounds=1, rewind="lr", rewind_to=7, out=out)


@pytest.mark.parametrize("name", ["late", "finetune"])
def test_threads_change_no_bit(name, tmp_path):
    results = [find(threads=threads, **MODES[name]) for threads in (1, 2)]
    assert differing(*(contents(result, tmp_path) for result in results)) == []


# -- refusals


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rewind_to": 20}, "rewind to is an iteration of the dense training, from 0 to 19 .*; not 20"),
        ({"rewind": "lr", "rewind_to": 21}, "from 0 to 19 with 20 iterations; not 21"),
        ({"rewind_to": -1}, "; not -1"),
        ({"rewind_optimizer": "new"}, "optimizer begins anew where weights do not go back"),
        ({"rewind": "lr", "rewind_to": 5, "rewind_optimizer": "new"}, "optimizer begins anew where weights do not go"),
        ({"rewind": "lr", "strategy": "continue"}, "with rewind lr the tickets themselves keep their weights"),
        ({"one_shot": 0.5, "strategy": "continue"}, "'continue' keeps training between prunings.*one-shot prunes once"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(changes, words):
    with pytest.raises(InputError, match=words):
        resolve(data="digits", model="lenet-300-100", training_examples=1000, iterations=20, **changes)


def test_the_last_iteration_can_be_rewound_to():
    assert find(rewind_to=19).trials[0].rounds[2].history["iteration"].tolist() == [19, 20]
