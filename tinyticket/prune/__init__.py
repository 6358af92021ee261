"""Pruning: from dicts of arrays (weights, initial weights, gradients) to dicts of masks, True where a weight survives.

Any framework's arrays will do. What each file answers:

    after training    magnitude       the paper's criterion: keep what ended large
                      criteria        the other criteria by final and initial weight, CRITERIA by name, `prune_by`
    before training   initial         `prune_at_init`: SNIP, GraSP, SynFlow, magnitude, random, for a model
                      saliency        their scores, from arrays of weights and derivatives
                      gradients       those derivatives, from a model
    during training   schedules       gradual pruning: which density when
                      dynamic         SET, RigL, SNFS: masks that move and keep their size
                      fan_in          SRigL: the same with a constant fan-in, and neurons that are ablated
                      moving          SET, RigL among sampled candidates, SRigL, of layers that were never dense
                      link_prediction CHT: the same, grown by the shape of the mask alone
                      graphs          the graphs that such networks start from
                      early_bird      when masks drawn in training stop changing
    whole units       structured      neurons and channels by norm, and consistent masks of weights
                      channels        channels by the scale of their batch normalisation
                      shrink          the smaller dense model that computes the same
    how many          selection       drop an exact fraction of the survivors
                      densities       keep an exact density; layers share it globally, uniformly or by ERK
                      allocation      fractions by group of layers (conv, fc, output)
                      counts          how many weights every round leaves, beforehand
    weights           apply           put masks on weights, and scale what is left
    controls          random          random masks, with the counts of other masks or with given densities
                      overlap         how far apart two masks are
                      signs           how many weights changed sign
                      locality        whether a unit's pixels lie together

docs/pruning.md lists every criterion with its formula and paper.
"""

from tinyticket.prune.allocation import GROUPS, fractions_by_layer, one_shot_fractions, parse_fractions
from tinyticket.prune.apply import apply_masks, scaled_to_fan_in
from tinyticket.prune.channels import channel_masks, normalised_channels, weights_of_channels
from tinyticket.prune.counts import kept, plan_rounds, removed
from tinyticket.prune.criteria import CRITERIA, TIED, TIES, Criterion, prune_by, scores_by
from tinyticket.prune.densities import ALLOCATIONS, allocate, collapsed, erdos_renyi_kernel, keep_density
from tinyticket.prune.dynamic import drop_fraction, rigl_masks, set_masks, snfs_masks
from tinyticket.prune.early_bird import EarlyBird
from tinyticket.prune.fan_in import constant_fan_in_masks, fan_in, srigl_masks
from tinyticket.prune.graphs import GRAPHS, check_graph, check_pixels, graph_masks
from tinyticket.prune.initial import METHODS, prune_at_init
from tinyticket.prune.link_prediction import (
    ch2_l3n_scores,
    ch3_l3_scores,
    cht_masks,
    original_cht_masks,
    without_dead_ends,
)
from tinyticket.prune.locality import adjacency, locality
from tinyticket.prune.magnitude import magnitude
from tinyticket.prune.moving import candidates, rigl_move, set_move, srigl_move
from tinyticket.prune.overlap import expected_overlap, hamming_distance, overlap
from tinyticket.prune.random import random, random_masks
from tinyticket.prune.saliency import grasp, grasp_scores, snip, snip_scores, synflow_scores
from tinyticket.prune.schedules import Event, cubic_density, plan_gradual
from tinyticket.prune.selection import keep_counts, keep_largest
from tinyticket.prune.shrink import shrink
from tinyticket.prune.signs import sign_flips
from tinyticket.prune.structured import prune_units, unit_masks, unit_norms

__all__ = [
    "ALLOCATIONS",
    "CRITERIA",
    "GRAPHS",
    "GROUPS",
    "METHODS",
    "TIED",
    "TIES",
    "Criterion",
    "EarlyBird",
    "Event",
    "adjacency",
    "allocate",
    "apply_masks",
    "candidates",
    "ch2_l3n_scores",
    "ch3_l3_scores",
    "channel_masks",
    "check_graph",
    "check_pixels",
    "cht_masks",
    "collapsed",
    "constant_fan_in_masks",
    "cubic_density",
    "drop_fraction",
    "erdos_renyi_kernel",
    "expected_overlap",
    "fan_in",
    "fractions_by_layer",
    "graph_masks",
    "grasp",
    "grasp_scores",
    "hamming_distance",
    "keep_counts",
    "keep_density",
    "keep_largest",
    "kept",
    "locality",
    "magnitude",
    "normalised_channels",
    "one_shot_fractions",
    "original_cht_masks",
    "overlap",
    "parse_fractions",
    "plan_gradual",
    "plan_rounds",
    "prune_at_init",
    "prune_by",
    "prune_units",
    "random",
    "random_masks",
    "removed",
    "rigl_masks",
    "rigl_move",
    "scaled_to_fan_in",
    "scores_by",
    "set_masks",
    "set_move",
    "shrink",
    "sign_flips",
    "snfs_masks",
    "snip",
    "snip_scores",
    "srigl_masks",
    "srigl_move",
    "synflow_scores",
    "unit_masks",
    "unit_norms",
    "weights_of_channels",
    "without_dead_ends",
]
