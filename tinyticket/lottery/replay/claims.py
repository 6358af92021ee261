"""What must hold of a training by the file alone: functions that say what is wrong, or None."""

from __future__ import annotations

import numpy as np

from tinyticket.compiler.step import KERNELS
from tinyticket.lottery.algorithm import State
from tinyticket.lottery.controls import KINDS, known
from tinyticket.lottery.controls.checks import differing, graph_of
from tinyticket.lottery.methods.moving import moves_connections
from tinyticket.lottery.pruning import Pruner
from tinyticket.lottery.replay.file import File, Training
from tinyticket.lottery.rewinding import kept_iteration
from tinyticket.results.naming import ACCURACY, METHODS, kind_of
from tinyticket.results.round import Round
from tinyticket.store import layout, summary
from tinyticket.store.layout import MASK_STAYS

WEIGHTED = {"loss", "label_smoothing", "class_weights"}
"""Settings with which a loss is something else than the mean of cross-entropies, and which a file has only then."""

MISTAKE = np.log(2) * (1 - 1e-4)
"""What a wrong answer adds to a sum of cross-entropies at least, rounding aside: another class is as probable as the right one."""


def numbered(file: File, found: Training) -> str | None:
    """Trials are counted from the first one, but for those that diverged or are under way, and have no more rounds than planned."""
    settings, diverged, unfinished = file.settings, file.result.diverged, file.result.unfinished
    if found.trial in unfinished:
        return "it is there, and the file says that it has no round yet"
    there = {each.trial for each in file.dense} | {*map(int, diverged), *unfinished}
    if missing := set(range(settings.first_trial, found.trial)) - there:
        return f"trial {min(missing)} is missing before it: it was taken away, or not done when an earlier version wrote the file"
    last = max(each.run.number for each in file.trainings if each.trial == found.trial)
    if found.trial not in settings.trial_numbers or last > settings.rounds:
        return f"it has {last} rounds; the settings are of {settings.trials} trials with {settings.rounds} rounds"
    wanted = {*settings.controls}  # which may have come later, to rounds that are there
    runs = [each.run for each in (*file.dense, *file.tickets) if each.trial == found.trial]
    finished = sum(not run.number or wanted <= run.controls.keys() for run in runs)
    if finished > diverged.get(str(found.trial), finished):
        return f"it has {last} rounds, and diverged in round {diverged[str(found.trial)]}"
    return None


def distinct(file: File, found: Training) -> str | None:
    """Neither theta_0 nor the losses of the dense network are another trial's."""
    initial, losses = file.result.init(found.trial), found.run.history["validation_loss"]
    for other in file.dense:
        if other.trial >= found.trial:
            return None
        theirs = file.result.init(other.trial)
        same = all(np.array_equal(initial[name], theirs[name], equal_nan=True) for name in found.run.masks)
        if same or np.array_equal(losses, other.run.history["validation_loss"]):
            return f"it is trial {other.trial} again"
    return None


def drawn(file: File, found: Training) -> str | None:
    """theta_0 is what the trial's stream draws."""
    other = file.drawn_otherwise(found.trial)
    return f"{', '.join(other)} are not what seed {file.settings.seed} draws" if other else None


def complete(file: File, found: Training) -> str | None:
    """All controls, masks and weights are there, and weights are numbers."""
    missing = set(file.result.config["controls"]) - set(found.run.controls)
    # Controls that came later are trained up to the one that diverged.
    if missing and found in file.tickets and found.run.number < file.result.diverged.get(str(found.trial), np.inf):
        return f"its controls {', '.join(sorted(missing))} are missing"
    initial, masks = file.result.init(found.trial), found.run.masks
    trained = found.run.trained  # raises if there are not as many survivors as ones in a mask
    if trained.keys() != initial.keys():
        return f"trained {sorted(trained.keys() ^ initial.keys())} is there or missing"
    for name, value in trained.items():
        if value.shape != initial[name].shape or value.dtype != initial[name].dtype:
            return f"{name} has another shape or dtype than theta_0"
        if not (np.isfinite(value).all() and np.isfinite(initial[name]).all()):
            return f"{name} has values that are no numbers, trained or in theta_0"
        if name in masks and value[~masks[name]].any():
            return f"{name} has pruned weights that are not 0"
    return _connected(file, found) or _beside(file, found.run, initial) or _untrained(file, found)


def _connected(file: File, found: Training) -> str | None:
    """Connections are theta_0's, unless the method moves them or the control claims to have others."""
    control, settings = found.control or "", file.settings
    if settings.method not in ("tickets", *METHODS):
        return None  # of the user's own, which may do anything
    moves = moves_connections(settings) and getattr(file.method, "moves_all_connections", False)
    if (moves and found in file.tickets) or (kind_of(control) in KINDS and known(control).claim.other_connections):
        return None
    moved = found.run.moved
    return f"{', '.join(moved)} are not theta_0's" if moved else None


def _untrained(file: File, found: Training) -> str | None:
    """Weights whose mask was learned are those of the start."""
    if found.run.origin.get("training") != "scores" or found not in file.tickets or file.settings.rescale:
        return None
    begun, trained = file.result.start(found.trial, found.run.number), found.run.trained
    moved = [name for name, mask in found.run.masks.items() if (trained[name] != begun[name] * mask).any()]
    return f"{', '.join(moved)} were trained, and by the file only their mask was" if moved else None


def _beside(file: File, run: Round, initial: State) -> str | None:
    """Frozen weights, scores and kernels are those that the settings have, and frozen weights those of theta_0."""
    for name, value in run.frozen.items():
        if (value[run.masks[name]] != 0).any() or ((value != 0) & (value != initial[name])).any():
            return f"{name} has frozen weights that are not those of theta_0"
    for name, there, expected in (
        ("frozen weights", run.frozen, file.settings.mask_0 != "zero" and run.number > 0),
        ("scores", run.scores, "scores" in run.origin.get("training", "")),
    ):
        if bool(there) != expected:
            return f"it has {name if there else f'no {name}'}"
    mode, kernels = run.plan["mode"], run.plan.get("kernels", {})
    if mode not in ("eager", "compiled")[: 1 if file.settings.eager else 2]:
        return f"it was executed {mode}"
    return (
        None
        if kernels.keys() <= run.masks.keys() and {*kernels.values()} <= {*KERNELS}
        else f"it had kernels {kernels}"
    )


def rewound(file: File, found: Training) -> str | None:
    """What tickets rewind to is there where they do not go back to theta_0, and is of the iteration that the settings say."""
    iteration, there = kept_iteration(file.settings), layout.rewind_path(found.trial)
    with file.result.archive.read() as root:
        if (there in root) != bool(iteration):
            return f"{there} is there" if there in root else f"{there} is missing"
    if not iteration:
        return None
    checkpoint = file.result.rewind(found.trial)
    if {checkpoint.iteration, *checkpoint.steps.values()} != {iteration}:
        return f"it is of iteration {checkpoint.iteration} and other numbers of updates; the settings say {iteration}"
    states = [checkpoint.state, *checkpoint.slots.values()]
    return (
        None if all(np.isfinite(value).all() for state in states for value in state.values()) else "it has no numbers"
    )


def counts(file: File, found: Training) -> str | None:
    """Density and weights left are those of the masks."""
    run = found.run
    left = sum(int(np.count_nonzero(mask)) for mask in run.masks.values())
    size = sum(mask.size for mask in run.masks.values())
    if left != run.weights_left or run.density != left / size:
        return f"{run.weights_left} weights left, density {run.density:.6f}, but the masks have {left} of {size}"
    return None


def history(file: File, found: Training) -> str | None:
    """There is a row for every evaluation, with numbers that an evaluation gives."""
    settings, table, first = file.settings, found.run.history, found.run.origin.get("iteration", 0)
    every, last = settings.evaluate_every, settings.iterations
    last = first if found.run.origin.get("training") == "none" else last
    expected = sorted({first, last, *(i for i in range(every, last, every) if i > first)})
    if table["iteration"].tolist() != expected:
        return f"it has the iterations {table['iteration'].tolist()[:4]}..., not {expected[:4]}..."
    losses = table["validation_loss"]
    lowest_before = np.minimum.accumulate(np.concatenate([[np.inf], losses[:-1]]))
    tested = (losses < lowest_before) | (table["iteration"] == last) | (settings.test_at == "all")
    if not (
        np.isfinite(losses).all()
        and (table["train_loss"][1:] >= 0).all()
        and np.isfinite(table["train_loss"][1:]).all()
    ):
        return "a loss is no finite number, or below 0"
    if not np.isnan(table["train_loss"][0]):
        return "it has a training loss before any training"
    moves = found in file.tickets and found.run.origin.get("mask") not in MASK_STAYS  # each time the test set is read
    if not moves and (np.isfinite(table["test_loss"]) & ~tested).any():
        return "the test set was read where it should not have been"
    if not np.isfinite(table["test_loss"][tested]).all():
        return "a test loss is no finite number"
    if file.result.metric != ACCURACY or file.result.data.get("weighted"):
        return None  # such a share is not one of so many examples
    plain = not WEIGHTED & file.result.config.keys()
    for part, rows in (("validation", table), ("test", table[tested])):
        right = rows[f"{part}_accuracy"] * file.result.data["examples"][part]  # answers
        if not ((right >= 0) & (rows[f"{part}_accuracy"] <= 1) & (abs(right - np.rint(right)) < 1e-6)).all():
            return f"{part}_accuracy is not that of {file.result.data['examples'][part]} examples"
        if plain and (rows[f"{part}_loss"] < MISTAKE * (1 - rows[f"{part}_accuracy"])).any():
            return f"a {part}_loss is smaller than its wrong answers allow"
    return None


def settled_at(file: File, found: Training) -> int:
    """Return the iteration from which on the network is the one that is reported: before, its masks were others."""
    origin, gradual = found.run.origin, file.settings.gradual
    if found not in file.tickets:
        return 0
    if origin.get("mask") == "gradual" and gradual:
        return range(gradual[0], gradual[1] + 1, gradual[2])[-1]
    library = file.settings.method in ("tickets", *METHODS)  # of a method of the user's own, wherever its file says
    return origin.get("drawn", 0) if library else found.run.early_stop_iteration


def scalars(file: File, found: Training) -> str | None:
    """Early stop and accuracies follow from the history."""
    rows = found.run.history[found.run.history["iteration"] >= settled_at(file, found)]
    for name, value in summary(rows).items():
        if getattr(found.run, name) != value:
            return f"{name} is {getattr(found.run, name)}, but {value} by the history"
    return None


def as_planned(file: File, found: Training) -> str | None:
    """Every round has as many weights as planned."""
    planned = file.plan.weights_left[found.run.number]
    return None if found.run.weights_left == planned else f"{found.run.weights_left} weights, planned {planned}"


def nested(file: File, found: Training) -> str | None:
    """A ticket's weights are among those of the round before."""
    before = file.result.round(found.trial, found.run.number - 1).masks
    revived = sum(int(np.count_nonzero(mask & ~before[name])) for name, mask in found.run.masks.items())
    return f"{revived} weights were pruned before" if revived else None


def follows(file: File, found: Training) -> str | None:
    """Pruning the weights of the round before gives the mask."""
    settings, nothing = file.settings, np.zeros(0, np.float32)
    before = file.result.round(found.trial, 0 if settings.one_shot else found.run.number - 1)
    source = before.continued or before
    pruner = Pruner(settings, file.plan, found.trial, file.result.init(found.trial), file.model, (nothing, nothing))
    trained = source.trained
    masks = pruner.prune(found.run.number, {name: trained[name] for name in file.plan.sizes}, source.masks)
    others = sum(int(np.count_nonzero(masks[name] != mask)) for name, mask in found.run.masks.items())
    return f"{others} places differ" if others else None


def differs(file: File, found: Training) -> str | None:
    """A control was drawn from its own stream, and differs from its ticket in what it claims alone."""
    assert found.ticket is not None
    claim, origin = known(found.control or "").claim, found.run.origin
    key = [file.settings.seed, found.trial, found.control, found.run.number]
    for drawn_from in (value.get("stream", key) for value in origin.values() if isinstance(value, dict)):
        if drawn_from != key:
            return f"it was drawn from the stream {drawn_from}, not {key}"
    own, theirs = found.run.structure, found.ticket.structure
    places = sum(
        differing(mask, graph_of(name, own), found.ticket.masks[name], graph_of(name, theirs))
        for name, mask in found.run.masks.items()
    )
    recorded = origin.get("differs", {"mask": places, "weights": 1})
    if places != recorded["mask"]:
        return f"its mask differs in {places} places, by the file in {recorded['mask']}"
    if bool(places) > claim.other_mask:
        return "it has another mask"
    if sum(int(mask.sum()) for mask in found.run.masks.values()) != found.ticket.weights_left:
        return "it has another number of weights"
    if not ((claim.other_mask and places) or (claim.other_weights and recorded["weights"])):
        return "it is the ticket again"
    trained, ticket = found.run.trained, found.ticket.trained
    return "it ended in the ticket's weights" if all(np.array_equal(trained[n], ticket[n]) for n in trained) else None
