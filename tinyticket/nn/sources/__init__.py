"""Where weights come from other than training: w_eff = g(w, s), computed before every forward pass.

    sourced      a network some of whose weights come from sources
    frozen       m w + (1 - m) f: pruned weights that stay at a value instead of zero
    supermask    w times Bernoulli(sigmoid(s)): a learned mask of weights that are never trained (Zhou et al. 2019)
    continuous   w sigmoid(beta s), both trained, while beta rises (Savarese et al. 2020)
    edge_popup   w where |s| is among the layer's largest (Ramanujan et al. 2020)
    interpolated scales and shifts of normalisation on the way back to their start (Oh et al. 2025, AWS)
    constants    weights that are a sign times a constant

Everything is eager and an ordinary part of the tape. The weights of `Supermask` and `EdgePopup` are no parameters: nothing can
train them.
"""

from tinyticket.nn.sources.constants import kaiming_constant, signed_deviation
from tinyticket.nn.sources.continuous import Continuous
from tinyticket.nn.sources.edge_popup import EdgePopup, largest
from tinyticket.nn.sources.frozen import Frozen
from tinyticket.nn.sources.interpolated import Interpolated, interpolated_norms
from tinyticket.nn.sources.sourced import Source, Sourced
from tinyticket.nn.sources.supermask import Supermask

CONSTANTS = {"supermask": signed_deviation, "edge-popup": kaiming_constant}
"""The signed constants that each paper's masks were learned for, by the name of its method."""

__all__ = [
    "CONSTANTS",
    "Continuous",
    "EdgePopup",
    "Frozen",
    "Interpolated",
    "Source",
    "Sourced",
    "Supermask",
    "interpolated_norms",
    "kaiming_constant",
    "largest",
    "signed_deviation",
]
