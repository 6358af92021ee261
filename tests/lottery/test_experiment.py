"""Whole experiments: what follows from what, what is equal to what, and which settings have an influence."""

import itertools

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    DATA,
    MODEL,
    SMALL,
    Recorder,
    clusters,
    contents,
    differing,
    equal_bytes,
    every_round,
    find,
)
from tests.lottery.networks import Watching
from tinyticket.lottery import Experiment, reset, stream
from tinyticket.lottery.start import Start
from tinyticket.lottery.training import Trainer
from tinyticket.nn import models
from tinyticket.optim import Cosine

ITERATIONS = SMALL["iterations"]


# -- the algorithm, seen from its result


def test_theta_0_is_drawn_from_the_trials_own_stream(small):
    for trial in (0, 1):
        drawn = models.create(MODEL, (12,), 3, stream(0, trial, "init")).state_dict()
        assert equal_bytes(small.init(trial), drawn)


def test_every_ticket_is_its_mask_and_theta_0_trained(small):
    """Replay each stored training from what the file says: no mask, start or order of batches is other than claimed."""
    experiment = Experiment(MODEL, DATA, **SMALL)
    for trial, round in every_round(small):
        start = Start(round.masks, reset(small.init(trial), round.masks), {})
        streams = (stream(0, trial, purpose, round.number) for purpose in ("batches", "dropout"))
        run = Trainer(experiment.model, experiment.settings, experiment.examples).train(start, *streams)
        assert equal_bytes(run.trained, round.trained)
        assert run.history.tobytes() == round.history.tobytes()


def test_every_mask_is_what_magnitude_leaves_of_the_round_before(small):
    fractions = {"fc1.weight": 0.2, "fc2.weight": 0.2, "output.weight": 0.1}
    for trial in small.trials:
        assert all(mask.all() for mask in trial.rounds[0].masks.values())
        for before, after in itertools.pairwise(trial.rounds):
            weights = {name: before.trained[name] for name in fractions}
            assert equal_bytes(after.masks, tt.prune.magnitude(weights, before.masks, fractions))


def test_biases_are_never_pruned(small):
    for _, round in every_round(small):
        assert list(round.masks) == ["fc1.weight", "fc2.weight", "output.weight"]
        assert round.trained["fc1.bias"].all()


def test_one_shot_prunes_the_dense_network_to_each_density():
    result = find(rounds=None, one_shot=[0.5, 0.2, 0.8], controls="none")
    dense, *tickets = result.trials[0].rounds
    assert [round(ticket.density, 2) for ticket in tickets] == [0.5, 0.2, 0.8]
    for ticket in tickets:
        for name, mask in ticket.masks.items():
            weights, gone = np.abs(dense.trained[name]), ~mask
            assert weights[gone].max() <= weights[mask].min()
    kept = {name: [ticket.masks[name].mean() for ticket in tickets] for name in dense.masks}
    np.testing.assert_allclose(1 - np.array(kept["output.weight"]), (1 - np.array(kept["fc1.weight"])) / 2, atol=0.05)


def test_global_scope_compares_all_layers():
    result = find(scope="global", prune=0.3, controls="none")
    dense, *tickets = result.trials[0].rounds
    assert [each.weights_left for each in result.trials[0].rounds] == [344, 241, 169]
    everything = np.concatenate([np.abs(dense.trained[name][mask]) for name, mask in tickets[0].masks.items()])
    gone = np.concatenate([np.abs(dense.trained[name][~mask]) for name, mask in tickets[0].masks.items()])
    assert gone.max() <= everything.min()
    assert len({round(float(mask.mean()), 2) for mask in tickets[1].masks.values()}) > 1  # no layer's own count


def test_global_scope_leaves_groups_at_zero_alone():
    result = find(scope="global", prune="fc=0.3,output=0", controls="random")
    for round in result.trials[0].rounds:
        assert round.masks["output.weight"].all()
        assert all(control.masks["output.weight"].all() for control in round.controls.values())
    assert result.trials[0].rounds[1].weights_left == 344 - 96


# -- controls


def test_controls_have_their_tickets_counts_in_every_layer(small):
    for _, round in every_round(small):
        assert list(round.controls) == (["reinit", "random"] if round.number else [])
        for control in round.controls.values():
            assert {n: m.sum() for n, m in control.masks.items()} == {n: m.sum() for n, m in round.masks.items()}


def test_reinit_has_the_tickets_mask_and_random_has_not(small):
    for _, round in every_round(small):
        if round.number:
            assert equal_bytes(round.controls["reinit"].masks, round.masks)
            agreement = np.mean(round.controls["random"].masks["fc1.weight"] == round.masks["fc1.weight"])
            assert 0.2 < agreement < 0.9


def test_every_control_can_be_replayed_from_the_file_alone(tmp_path):
    result = find(controls=["reinit", "random", "reinit-2"], out=tmp_path / "ticket.h5")
    experiment = Experiment(MODEL, DATA, **SMALL)
    starts = []
    for round in result.trials[0].rounds[1:]:
        for control in round.controls.values():
            origin, masks = control.origin, round.masks
            weights = result.init(0)
            if origin["weights"] != "init":
                weights = models.create(MODEL, (12,), 3, stream(*origin["weights"]["stream"])).state_dict()
            if origin["mask"] != "ticket":
                masks = tt.prune.random(masks, stream(*origin["mask"]["stream"]))
            start = Start(masks, reset(weights, masks), {})
            streams = (stream(0, 0, purpose, round.number) for purpose in ("batches", "dropout"))
            run = Trainer(experiment.model, experiment.settings, experiment.examples).train(start, *streams)
            assert equal_bytes(run.trained, control.trained)
            starts.append(start.weights["fc1.weight"].tobytes())
    assert len(set(starts)) == 6  # every control of every round is another network


def test_a_ticket_and_its_controls_see_the_same_batches_and_other_trainings_others():
    seen, progress = [], Recorder()
    find(lambda rng: Watching(seen, rng), trials=2, rounds=1, callbacks=progress)
    orders = [tuple(seen[i : i + ITERATIONS]) for i in range(0, len(seen), ITERATIONS)]
    by_training = dict(zip([arguments[:3] for arguments in progress.of("training_begun")], orders, strict=True))
    for trial in (0, 1):
        assert by_training[trial, 1, None] == by_training[trial, 1, "reinit"] == by_training[trial, 1, "random"]
    assert len(set(orders)) == 4  # two trials of two rounds


def test_tickets_do_not_depend_on_which_controls_run_beside_them(small):
    alone = find(trials=2, controls="none")
    for (_, first), (_, second) in zip(every_round(small), every_round(alone), strict=True):
        assert equal_bytes(first.trained, second.trained)
    for _, round in every_round(alone):
        assert round.controls == {}


def test_a_control_does_not_depend_on_the_others_or_their_order(small):
    result = find(controls="random,reinit")
    for first, second in zip(small.trials[0].rounds[1:], result.trials[0].rounds[1:], strict=True):
        for name in ("reinit", "random"):
            assert equal_bytes(first.controls[name].trained, second.controls[name].trained)


# -- the same bits again


def test_the_same_seed_gives_the_same_file_contents(small, tmp_path):
    again = find(trials=2, out=tmp_path / "again.h5")
    assert differing(contents(small.path), contents(again.path)) == []


def test_a_result_in_memory_is_the_same_as_one_in_a_file(small, tmp_path):
    result = find(trials=2)
    assert result.path is None
    assert differing(contents(small.path), contents(result, tmp_path)) == []


def test_another_seed_gives_other_weights_masks_and_validation_examples(small):
    other = find(seed=1)
    assert not equal_bytes(small.init(0), other.init(0))
    assert not equal_bytes(small.trials[0].rounds[1].masks, other.trials[0].rounds[1].masks)
    assert other.seed == 1


def test_trials_differ_and_do_not_depend_on_how_many_there_are(small):
    assert not equal_bytes(small.init(0), small.init(1))
    one = find()
    for first, second in zip(small.trials[0].rounds, one.trials[0].rounds, strict=True):
        assert equal_bytes(first.trained, second.trained)


def test_threads_change_no_bit(tmp_path):
    large = clusters(train=800, test=1200)  # several chunks to evaluate, so that threads have work to share
    results = [find(data=large, rounds=1, validation=600, threads=threads) for threads in (1, 2)]
    assert differing(*(contents(result, tmp_path) for result in results)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 10},
        {"lr": 0.02},
        {"optimizer": "sgd"},
        {"optimizer": "momentum"},
        {"weight_decay": 0.1},
        {"schedule": Cosine(20)},
        {"seed": 1},
        {"validation": 50},
        {"iterations": 19},
        {"prune": 0.3},
        {"scope": "global"},
        {"rounds": None, "one_shot": [0.5]},
    ],
    ids=lambda changes: next(reversed(changes)),
)
def test_no_setting_is_accepted_and_never_used(small, changes):
    """Published scripts parsed flags that nothing read. Masks of the last round depend on all that happened before."""
    changed = find(**{"rounds": 1, "controls": "none", **changes})
    assert not equal_bytes(small.trials[0].rounds[1].masks, changed.trials[0].rounds[-1].masks)


def test_momentum_and_nesterov_are_not_the_same():
    first, second = (find(optimizer=name, rounds=0).trials[0].rounds[0] for name in ("momentum", "nesterov"))
    assert not equal_bytes(first.trained, second.trained)


def test_evaluate_every_decides_the_rows_and_changes_no_weight(small):
    result = find(evaluate_every=4)
    assert result.trials[0].rounds[0].history["iteration"].tolist() == [0, 4, 8, 12, 16, 20]
    assert equal_bytes(result.trials[0].rounds[2].trained, small.trials[0].rounds[2].trained)
