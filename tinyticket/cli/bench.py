"""`tinyticket bench`: what kernels run on, and how fast they are on this machine."""

from __future__ import annotations

import os
import re
import time
from importlib.util import find_spec

import click

from tinyticket.cli.common import common
from tinyticket.cli.waiting import waiting
from tinyticket.errors import InputError

EXAMPLES = (
    "\b\nExamples:\n  tinyticket bench --info\n  tinyticket bench --calibrate\n  tinyticket bench --warmup\n"
    "  tinyticket bench --warmup resnet-20\n  tinyticket bench --asm sparse_linear"
)


@click.command(epilog=EXAMPLES)
@click.option("--info", is_flag=True, help="Say what kernels are compiled for, what runs them and where they are kept.")
@click.option("--calibrate", is_flag=True, help="Measure dense and sparse layers and remember which is faster when.")
@click.option(
    "--warmup",
    metavar="[MODEL]",
    is_flag=False,
    flag_value="",
    help="Compile beforehand what a model needs, such as conv-2; without one, what fully-connected models need.",
)
@click.option("--asm", metavar="KERNEL", help="Print the innermost loops that multiply and add, in assembly language.")
@common
def bench(info: bool, calibrate: bool, warmup: str | None, asm: str | None, quiet: bool) -> None:
    """Look at the compiled kernels of this machine; `python -m benchmarks` in a checkout compares them with others."""
    if not (info or calibrate or warmup is not None or asm):
        raise click.UsageError("say --info, --calibrate, --warmup or --asm")
    if find_spec("numba") is None:
        raise InputError("bench is about compiled kernels, and Numba, which compiles them, is not installed")
    if warmup is not None:
        _warm(warmup, quiet)
    if info:
        with waiting(quiet, "asking what kernels run on"):
            found = information()
        for name, value in found.items():
            click.echo(f"{name + ':':18} {value}")
    if calibrate:
        _calibrate(quiet)
    if asm:
        _show_assembly(asm)


def _show_assembly(name: str) -> None:
    os.environ["TINYTICKET_CACHE"] = "off"  # machine code from the cache has no text
    from tinyticket.compiler.assembly import MULTIPLY_ADD, assembly_of, innermost_loops

    for loop in innermost_loops(assembly_of(name)):
        if count := sum(bool(re.match(MULTIPLY_ADD, line)) for line in loop):
            click.echo(f"# a loop of {len(loop) - 1} instructions, {count} of which multiply and add vectors")
            click.echo("\n".join(loop) + "\n")


def _warm(model: str, quiet: bool) -> None:
    from tinyticket import warmup
    from tinyticket.kernels.cpu.vector.jit import cache_folder

    start = time.perf_counter()
    with waiting(quiet, f"preparing the kernels of {model or 'fully-connected models'}"):
        warmup(model or None)
    if not quiet:
        seconds, what = time.perf_counter() - start, model or "fully-connected models"
        click.echo(f"kernels of {what}: ready in {seconds:.1f} s, kept in {cache_folder() or 'memory only'}")


def information() -> dict[str, str]:
    """Return what kernels depend on."""
    import numba

    from tinyticket.kernels.cpu import threads
    from tinyticket.kernels.cpu.vector import jit, machine
    from tinyticket.sparse import choice

    name, features = machine.target()
    widest = next((word for word in ("avx512f", "avx2", "neon") if f"+{word}" in features), "no wide vectors")
    calibrated = choice.calibration_file()
    measured = f"measured here, {calibrated}" if calibrated.exists() else "built-in rates (--calibrate measures)"
    return {
        "numba": numba.__version__,
        "compiled for": f"{name} ({widest}), vectors of {machine.LANES} float32",
        "threads": str(threads.available_threads()),
        "threading layer": threads.threading_layer(),
        "kernel cache": str(jit.cache_folder() or "off"),
        "dense or sparse": measured,
        **_cuda(),
    }


def _cuda() -> dict[str, str]:
    """Return what CUDA kernels depend on, or what is missing."""
    try:
        from tinyticket.kernels.cuda import toolkit
    except InputError as error:
        return {"CUDA": str(error)}
    return toolkit.describe()


def _calibrate(quiet: bool) -> None:
    from tinyticket import warmup
    from tinyticket.compiler.calibrate import calibrate
    from tinyticket.sparse import choice

    with waiting(quiet, "measuring dense and sparse layers"):
        warmup()
        rates = calibrate()
    path = choice.remember(rates)
    if not quiet:
        said = "{}: {:.2f} ns for a dense weight, {:.2f} ns for a survivor"
        for place, end, shape in (("first", "_first", (300, 784)), ("later", "", (256, 256))):
            dense, sparse = (getattr(rates, f"{name}{end}") for name in ("dense", "sparse"))
            even = _break_even(shape, place == "first")
            click.echo(said.format(f"a {place} layer", dense, sparse) + f"; sparse below about {even:.0%} density")
        for place, end in (("first", "_first"), ("later", "")):
            dense, sparse = (getattr(rates, f"{name}{end}") for name in ("convolution", "sparse_convolution"))
            each = f" and {rates.convolution_base:.2f} ns for each weight at a pixel"
            click.echo(said.format(f"a {place} convolution", dense, sparse) + each)
        click.echo(f"remembered in {path}")


def _break_even(shape: tuple[int, int], first: bool) -> float:
    from tinyticket.sparse import choice

    return sum(choice.sparse_is_faster(shape, percent / 100, first) for percent in range(1, 101)) / 100
