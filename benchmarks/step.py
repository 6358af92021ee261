"""`step`: one whole training step of a model, batch gathering included, at each density."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from benchmarks import environment, problems
from benchmarks.arguments import Options
from benchmarks.check import require_near
from benchmarks.masks import Masks, masks_for
from benchmarks.own_step import OwnStep
from benchmarks.peers import Peers
from benchmarks.probe import Probe
from benchmarks.problems import Problem
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline, first_call, interleave

DENSITIES = (1, 0.51, 0.21, 0.1, 0.05, 0.02)
MODELS = ("lenet-300-100",)

CHECKED, CHECKED_IMAGES = 5, 2
"""Steps whose losses are compared with float64 before the clock runs; with images these take their time."""

TOLERANCE = 1e-3
"""Losses may differ so much, relative to the exact ones: Adam's first steps turn rounding of tiny gradients into signs."""

TF32_TOLERANCE = 2e-2
"""The same for sums of products whose factors were rounded to ten bits."""

DENSE = ("torch", "torch-tf32", "torch-compile", "jax")


class Contestant:
    """A training step whose first losses were noted, and how long the very first took: it compiles or loads."""

    def __init__(self, step: Callable[[], Any], checked: int):
        first, self.first_call = first_call(step)
        losses = [first, *(step() for _ in range(checked - 1))]
        self.remark: dict[str, Any] = getattr(step, "remark", {})
        self.step, self.losses = step, [float(loss.detach() if hasattr(loss, "detach") else loss) for loss in losses]


def measure(options: Options, peers: Peers, discipline: Discipline, probe: Probe) -> Iterator[Row]:
    """Yield a row for every model, density and peer."""
    for name in options.models or MODELS:
        problem = problems.make(name, options.batch_size, options.examples)
        densities = options.densities or (DENSITIES if options.masks == "uniform" else None)
        choices = masks_for(problem.model(), densities, options.masks)
        with environment.threads(options.threads):
            dense: dict[str, Contestant | str] = {}
            for density, masks in choices:
                yield from _at_density(problem, density, masks, options, peers, dense, discipline)
                probe.read()


def _at_density(
    problem: Problem,
    density: float,
    masks: Masks,
    options: Options,
    peers: Peers,
    dense: dict[str, Contestant | str],
    discipline: Discipline,
) -> Iterator[Row]:
    mine, checked = OwnStep(problem, masks if density < 1 else None, options.device), _checked(problem)
    own = Contestant(mine, checked)
    exact = problems.exact_losses(problem, masks, checked)
    error = require_near(f"{problem.name} at density {density:g}", own.losses, exact, TOLERANCE)
    contestants, failed, details = {"": own.step}, dict(peers.missing), {}
    for name in peers.present:
        made = dense.get(name) or _try(problem, name, masks, options.device)
        if name in DENSE:
            dense[name] = made
        if isinstance(made, str):
            failed[name] = made
            continue
        right = _dense_losses(problem) if name in DENSE else exact
        tolerance = TF32_TOLERANCE if name == "torch-tf32" else TOLERANCE
        peer_error = require_near(f"{name} at density {density:g}", made.losses, right, tolerance)
        details[name] = {"peer_error": peer_error, "peer_first_call": made.first_call, **made.remark}
        contestants[name] = made.step
    if options.steps_per_call > 1:
        contestants[""] = mine.in_runs(options.steps_per_call)
    if options.device != "cpu":  # the clock stops for all sides when the device has finished
        contestants |= {name: step.in_runs(options.steps_per_call) for name, step in contestants.items() if name}
    timings = interleave(contestants, discipline)
    for name in timings:
        if not name or options.device != "cpu":
            timings[name] = timings[name].divided(options.steps_per_call)
    shared = ("step", problem.name, density, options.threads, timings[""])
    extra = {
        "batch_size": problem.batch_size,
        "masks": options.masks,
        "device": options.device,
        "steps_per_call": options.steps_per_call,
        "error": error,
        "first_call": own.first_call,
        **mine.remark,
    }
    for name in peers.present:
        if name in timings:
            yield row(*shared, name, timings[name], **extra, **details[name])
    for name, reason in failed.items():
        yield row(*shared, name, None, **extra, note=reason)
    if not peers.present and not failed:
        yield row(*shared, **extra)


def _checked(problem: Problem) -> int:
    return CHECKED_IMAGES if problem.convolutional else CHECKED


@cache
def _dense_losses(problem: Problem) -> list[float]:
    return problems.exact_losses(problem, None, _checked(problem))


def _try(problem: Problem, name: str, masks: Masks, device: str) -> Contestant | str:
    """Make a peer's step, or say why it does not work here: a compiler may be missing, a layer unknown."""
    if name == "torch-compile" and problem.convolutional and device == "cpu":
        return "not compared with on convolutional networks"
    from benchmarks.jax_step import JaxStep
    from benchmarks.torch_step import TorchStep

    try:
        made = JaxStep(problem) if name == "jax" else TorchStep(problem, name, masks, device=device)
        return Contestant(made, _checked(problem))
    except Exception as error:
        return f"failed: {type(error).__name__}: {str(error).strip().splitlines()[0][:80] if str(error) else ''}"
