"""Early-Bird tickets in the experiment."""

import itertools

import numpy as np
import pytest

from tests.lottery.experiments import DATA, MODEL, SMALL, contents, differing, find, interrupted
from tinyticket import prune
from tinyticket.autograd import Tensor
from tinyticket.data import batches, from_arrays, split_validation
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment
from tinyticket.lottery.methods.early_bird import EarlyBirdTraining
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.streams import stream
from tinyticket.nn import BatchNorm2d, Conv2d, Flatten, Linear, ReLU, Sequential, functional
from tinyticket.optim import SGD

EPOCH = 160 // SMALL["batch_size"]


def early(**changes):
    settings = {"rounds": None, "one_shot": [0.5, 0.2], "iterations": 120, "method": "early-bird", "controls": "none"}
    return find(**{**settings, **changes})


def test_the_ticket_is_drawn_when_its_masks_stay_alike():
    """Against the masks of a dense training that is watched epoch by epoch from outside."""
    whole = early()
    for density, ticket in zip((0.5, 0.2), whole.trials[0].rounds[1:], strict=True):
        drawn = ticket.origin["drawn"]
        assert drawn % EPOCH == 0
        assert drawn >= 5 * EPOCH
        assert ticket.origin["emerged"] == (ticket.origin["distance"] <= 0.1)
        assert ticket.weights_left == prune.kept(344, density)
        assert ticket.early_stop_iteration >= drawn
        assert all(mask.all() for mask in ticket.start_masks.values())


def test_the_mask_drawn_is_that_of_the_largest_weights_then():
    revision = EarlyBirdTraining((8, 16, 24, 32, 40, 48), 0.5)
    dense, rng = {"w": np.ones((4, 4), bool)}, np.random.default_rng(0)
    weights = [{"w": rng.normal(size=(4, 4))} for _ in range(2)]
    order = [0, 1, 1, 1, 1, 1]  # five alike are there after the sixth epoch only
    for iteration, which in zip(revision.iterations, order, strict=True):
        after = revision(iteration, weights[which], dense)
        assert (after is dense) == (iteration < 48)
    np.testing.assert_array_equal(after["w"], prune.keep_density({"w": np.abs(weights[1]["w"])}, 0.5)["w"])
    assert revision.record() == {"drawn": 48, "distance": 0.0, "emerged": True}
    assert revision(56, weights[0], after) is after


def test_a_ticket_that_does_not_emerge_is_drawn_at_the_last_moment_and_the_file_says_so():
    revision = EarlyBirdTraining((8, 16, 24, 32, 40), 0.5)
    masks, rng = {"w": np.ones((10, 10), bool)}, np.random.default_rng(0)
    for iteration in revision.iterations:
        masks = revision(iteration, {"w": rng.normal(size=(10, 10))}, masks)
    assert masks["w"].sum() == 50
    record = revision.record()
    assert record["drawn"] == 40
    assert not record["emerged"]
    assert record["distance"] > 0.1


def test_the_authors_way_does_not_compare_older_masks_with_each_other():
    """Two masks lie 12% apart, and each of them 6% from those that come after."""
    flips = [[0, 1, 2], [3, 4, 5], [], [], [], []]  # of the kept places, as many others come in their place
    revisions = [EarlyBirdTraining((8, 16, 24, 32, 40, 48), 0.5, pairs=pairs) for pairs in ("newest", "all")]
    masks = [{"w": np.ones(100, bool)}] * 2
    for number, out in enumerate(flips):
        kept = np.arange(100.0) < 50
        kept[out], kept[[50 + place for place in out]] = False, True
        masks = [r(8 * number + 8, {"w": kept + 1.0}, mask) for r, mask in zip(revisions, masks, strict=True)]
        if number == 2:  # as a training that was interrupted goes on
            values, arrays = revisions[0].state()
            revisions[0] = EarlyBirdTraining(revisions[0].iterations, 0.5, pairs="newest")
            revisions[0].restore(values, arrays)
    newest, every = (revision.record() for revision in revisions)
    assert newest == {"drawn": 40, "distance": 0.06, "emerged": True}
    assert every["drawn"] == 48


def test_the_authors_way_resumes_to_the_same_bits(out):
    changes = {"method": "early-bird-original", "one_shot": [0.4], "iterations": 64}
    whole = early(**changes)
    assert whole.trials[0].rounds[1].origin["mask"] == "early-bird"
    assert whole.trials[0].rounds[1].early_stop_iteration >= whole.trials[0].rounds[1].origin["drawn"]
    interrupted(early, **changes, out=out)
    assert differing(contents(out), contents(whole, out.parent)) == []


@pytest.mark.parametrize("scope", ["global", "erk"])
def test_it_resumes_to_the_same_bits(scope, out):
    changes = {"scope": scope, "controls": "random,rewound", "one_shot": [0.2]}
    interrupted(early, **changes, out=out)
    assert differing(contents(out), contents(early(**changes), out.parent)) == []


def test_a_training_of_less_than_five_epochs_is_refused():
    with pytest.raises(
        InputError, match=r"five masks, drawn an epoch \(8 iterations\) apart.*takes 54 iterations, not 50"
    ):
        early(iterations=50)
    early(iterations=54, one_shot=[0.2])


# -- by channels

IMAGES = from_arrays(DATA.x_train.reshape(-1, 1, 3, 4), DATA.y_train, DATA.x_test.reshape(-1, 1, 3, 4), DATA.y_test)


def normalised(rng=0):
    first, second = Conv2d(1, 8, 3, padding=1, rng=rng), Conv2d(8, 6, 3, padding=1, rng=rng)
    return Sequential(first, BatchNorm2d(8), ReLU(), second, BatchNorm2d(6), ReLU(), Flatten(), Linear(72, 3, rng=rng))


def by_channels(model=normalised, data=IMAGES, **changes):
    return early(model=model, data=data, one_shot=0.5, early_bird_by="channels", **changes)


def test_channels_by_their_scales_then_are_what_is_drawn(out):
    whole = by_channels(out=out, controls="random,rewound")
    round = whole.trials[0].rounds[1]
    assert round.origin["mask"] == "early-bird"
    assert whole.config["early_bird_by"] == "channels"
    kept = {
        "0.weight": round.masks["0.weight"].any(axis=(1, 2, 3)),
        "3.weight": round.masks["3.weight"].any(axis=(1, 2, 3)),
    }
    assert sum(int(mask.sum()) for mask in kept.values()) == 7  # of 14
    expected = prune.weights_of_channels(
        {name: mask.shape for name, mask in round.masks.items()},
        prune.normalised_channels(normalised()),
        {"1.weight": kept["0.weight"], "4.weight": kept["3.weight"]},
    )
    for name, mask in round.masks.items():
        np.testing.assert_array_equal(mask, expected[name])
    model = whole.model(0, 1)
    assert prune.shrink(model).prunable()["0.weight"].shape[0] == kept["0.weight"].sum()


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_scales_are_penalised_until_the_ticket_is_drawn(optimizer):
    """Against the slow way: a loop of its own, with the penalty in the loss, and masks looked at every epoch."""
    options = {"scale_penalty": 0.02, "optimizer": optimizer, "lr": 0.02, "eager": True, "out": None}
    drawn = by_channels(**options).trials[0].rounds[1]
    model = normalised(stream(0, 0, "init"))
    part, _ = split_validation(len(IMAGES.x_train), SMALL["validation"], stream(0, 0, "validation"))
    x, y = IMAGES.x_train[part], IMAGES.y_train[part]
    channels = prune.normalised_channels(model)
    scales = {name: dict(model.named_parameters())[name] for name in channels}
    plain = SGD(model.parameters(), 0.02, 0.9 if optimizer == "momentum" else 0)
    order = batches(len(x), SMALL["batch_size"], stream(0, 0, "batches", 1))
    for i, batch in enumerate(itertools.islice(order, 120)):
        penalty = 0.02 if i < drawn.origin["drawn"] else 0.0
        if i == drawn.origin["drawn"]:
            kept = prune.channel_masks({name: scale.data for name, scale in scales.items()}, 0.5)
            shapes = {name: weight.shape for name, weight in model.prunable().items()}
            for name, mask in prune.weights_of_channels(shapes, channels, kept).items():
                model.prunable()[name].mask = mask
                np.testing.assert_array_equal(drawn.masks[name], mask)
        model.train()
        plain.zero_grad()
        loss = functional.cross_entropy(model(Tensor(x[batch])), y[batch])
        (loss + sum(scale.abs().sum() for scale in scales.values()) * penalty).backward()
        plain.step()
    for name, value in drawn.trained.items():
        np.testing.assert_allclose(value, model.state_dict()[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_the_penalty_ends_with_the_drawing_and_other_networks_have_none():
    revision = EarlyBirdTraining((8, 16, 24, 32, 40), 0.5, prune.normalised_channels(normalised()), 0.3)
    assert revision.penalties == {"1.weight": 0.3, "4.weight": 0.3}
    masks = {name: np.ones(weight.shape, bool) for name, weight in normalised().prunable().items()}
    for iteration in revision.iterations:
        masks = revision(iteration, {"1.weight": np.arange(8.0), "4.weight": np.arange(6.0)}, masks)
    assert revision.penalties == {}
    one, other = (by_channels(scale_penalty=penalty, controls="random") for penalty in (0, 0.05))
    assert other.round(0, 0).history.tobytes() == one.round(0, 0).history.tobytes()  # the dense network
    assert other.round(0, 1).history.tobytes() != one.round(0, 1).history.tobytes()


def test_compiled_and_eager_training_are_penalised_alike():
    """With the largest scale left to each layer, what they come to is told by the scales, which a penalty moves far."""
    one, other, free = (
        by_channels(**options).round(0, 1).trained
        for options in ({"scale_penalty": 0.05}, {"scale_penalty": 0.05, "eager": True}, {"scale_penalty": 0})
    )
    for name in ("1.weight", "4.weight"):
        np.testing.assert_allclose(one[name], other[name], atol=0.02)
        assert np.abs(one[name] - free[name]).max() > 0.1


def test_the_penalty_is_recorded_where_there_is_one(out):
    assert by_channels().config["scale_penalty"] == 1e-4
    assert "scale_penalty" not in by_channels(scale_penalty=0, out=out).config
    assert "scale_penalty" not in early(one_shot=0.5).config
    with pytest.raises(InputError, match=r"scale-penalty was 0\.0 and is now 0\.0001"):
        by_channels(out=out)


def test_the_scales_of_the_moment_decide():
    channels = prune.normalised_channels(normalised())
    revision = EarlyBirdTraining((8, 16, 24, 32, 40), 0.5, channels)
    assert set(revision.reads) == {"1.weight", "4.weight"}
    dense = {name: np.ones(weight.shape, bool) for name, weight in normalised().prunable().items()}
    scales = {"1.weight": np.arange(8.0), "4.weight": np.array([9.0, 0, 0, 0, 0, 8.0])}
    masks = dense
    for iteration in revision.iterations:
        masks = revision(iteration, scales, masks)
    assert np.flatnonzero(masks["0.weight"].any(axis=(1, 2, 3))).tolist() == [3, 4, 5, 6, 7]
    assert np.flatnonzero(masks["3.weight"].any(axis=(1, 2, 3))).tolist() == [0, 5]
    assert revision.record() == {"drawn": 40, "distance": 0.0, "emerged": True}


@pytest.mark.parametrize("eager", [False, True])
def test_by_channels_it_resumes_to_the_same_bits(out, eager):
    result = interrupted(by_channels, controls="random", eager=eager, out=out)
    assert differing(contents(out), contents(by_channels(controls="random", eager=eager), out.parent)) == []
    checks = verify(result, data=IMAGES, model=normalised)
    assert not [check for check in checks if check.failures]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": MODEL, "data": DATA}, "no batch normalisation with a scale"),
        ({"one_shot": 0.1}, "keeps 1 of 14 channels, fewer than the 2 layers"),
        ({"one_shot": 1}, "a density of channels lies between 0 and 1; got 1"),
        ({"scope": "erk"}, "compares channels in the global network"),
        ({"scale_penalty": -1}, "the penalty of scales is at least 0, not -1"),
        (
            {"early_bird_by": "weights", "scale_penalty": 1e-4},
            "scale-penalty is a setting of the method early-bird with",
        ),
        ({"device": "cuda"}, "no kernel for the penalty of scales: give scale-penalty 0"),
        ({"method": "rigl"}, "early-bird-by is a setting of the method early-bird or early-bird-original, not of rigl"),
        ({"early_bird_by": "channel"}, "early-bird-by is weights or channels, not 'channel'"),
    ],
)
def test_what_has_no_such_channels_is_refused(changes, words):
    options = {
        **SMALL,
        "rounds": None,
        "method": "early-bird",
        "one_shot": 0.5,
        "iterations": 120,
        "early_bird_by": "channels",
    }
    with pytest.raises(InputError, match=words):
        Experiment(**{"model": normalised, "data": IMAGES, **options, **changes})
