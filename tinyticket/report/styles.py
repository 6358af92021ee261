"""The names and colours of networks, the same in every picture and on every page."""

from __future__ import annotations

import zlib

from tinyticket.errors import printable
from tinyticket.results import Result
from tinyticket.results.naming import TICKETS, kind_of
from tinyticket.results.sentence import WORDS

COLOURS = ("#767676", "#1f5fa8", "#d9752b", "#4f8f4f", "#8a5bb0", "#b5338a", "#0b8a8f", "#8a6d1f")
"""On white: of the dense network, of tickets, of controls."""

DARK = ("#a0a0a0", "#6aa9f0", "#f0a05a", "#86c786", "#bd94de", "#e57fc0", "#4cc4c9", "#cdb35e")
"""The same on black."""

LAYERS = ("#3b2a7a", "#46509e", "#3f74ad", "#3a93a8", "#3fae91", "#6cc070", "#a5c94a", "#d0b52c")
LAYERS_DARK = ("#a99af0", "#8f9cf2", "#7db4ec", "#72cbe0", "#74dcc0", "#98e39a", "#c6e67c", "#efd867")
"""Of what is no network, such as layers, from the first to the last; on white and on black."""

INK, POSITIVE, NEGATIVE = (0x2F, 0x74, 0xC0), (0x0B, 0x9A, 0x8F), (0xC2, 0x3B, 0x90)
"""Of masks, and of positive and negative weights, on white and on black."""

STAMP = "Seconds as measured while trainings may have run side by side and kernels were compiled: not a benchmark."
MARKERS = ("", "o", "s", "^", "D", "v", "P", "X")
KINDS = ("dense", "ticket", "reinit", "random", "reshuffle", "reinit-signed", "static", "rewound")


def style_of(network: str) -> str:
    """Return the style of the line of "dense", "ticket" or a control, such as "n2", for its place in COLOURS.

    A second control of a kind, "n2 second", has the colour of the first.
    """
    kind = kind_of(network)
    place = KINDS.index(kind) if kind in KINDS else 4 + zlib.crc32(kind.encode()) % (len(COLOURS) - 4)
    return f"n{place}" + (" second" if kind != network else "")


def label_of(result: Result, network: str) -> str:
    """Return what a network is called; a ticket is no winning one until the verdict says so."""
    if network == "dense":
        return "dense network"
    if network != "ticket":
        return printable(WORDS.get(network, network))
    if result.networks != TICKETS:
        return printable(result.networks.label)
    return "ticket (filled: winning)" if result.verdict["winning_rounds"] else "ticket"


def title_of(result: Result) -> str:
    """Return what an experiment is about, such as "lenet-300-100 on digits"."""
    return printable(f"{result.config['model']} on {result.config['data']}")
