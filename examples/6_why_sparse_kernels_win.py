"""
6. Why a sparse kernel can beat BLAS
====================================

A sparse layer usually loses against a dense one: ten times fewer multiplications, done twenty times slower each. This lesson
shows where that comes from and what is done about it: ``python examples/6_why_sparse_kernels_win.py``.
"""

import time

import numpy as np

import tinyticket as tt

rng = np.random.default_rng(0)
samples, inputs, outputs, density = 128, 1024, 1024, 0.1
weight = rng.standard_normal((outputs, inputs), dtype=np.float32)
mask = rng.random(weight.shape) < density
x = rng.standard_normal((samples, inputs), dtype=np.float32)
bias = np.zeros(outputs, np.float32)


# %%
# What the textbook stores
# ------------------------
# Compressed sparse rows: of every row, where its survivors are and what they are. This is a sparse layer as it stands in
# textbooks, for one sample. Every survivor asks for one number ``x[column]`` that lies anywhere: an address is computed and a
# word is loaded for a single multiplication, and the vector unit of the processor, which multiplies sixteen numbers at a
# time, has nothing to do.


def sparse_linear_of_a_sample(starts, columns, values, x):
    """Return W x, survivor by survivor."""
    y = np.zeros(len(starts) - 1, x.dtype)
    for row in range(len(y)):
        for survivor in range(starts[row], starts[row + 1]):
            y[row] += values[survivor] * x[columns[survivor]]
    return y


starts = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
columns, values = np.nonzero(mask)[1], weight[mask]
expected = x @ np.where(mask, weight, 0).T
assert np.allclose(sparse_linear_of_a_sample(starts, columns, values, x[0]), expected[0], atol=1e-4)

# %%
# Samples innermost
# -----------------
# tinyticket turns a batch round before its first layer: the samples of a batch lie beside each other, sixteen to sixty-four
# of them in a tile. One survivor then meets a whole run of samples: its address and its value are read once and used for
# every sample of the tile, with full vectors. The loop over survivors stays; what it does each time is as regular as in a
# dense layer.

packed = tt.kernels.pack(x)
print(f"{x.shape} (samples, features) become {packed.shape} (tiles, features, samples of a tile)")


def sparse_linear_of_a_tile(starts, columns, values, tile):
    """Return W X for all samples of a tile, survivor by survivor."""
    y = np.zeros((len(starts) - 1, tile.shape[1]), tile.dtype)
    for row in range(len(y)):
        for survivor in range(starts[row], starts[row + 1]):
            y[row] += values[survivor] * tile[columns[survivor]]  # a vector of samples
    return y


assert np.allclose(
    sparse_linear_of_a_tile(starts, columns, values, packed[0]), expected[: packed.shape[2]].T, atol=1e-4
)

# %%
# The same loop compiled
# ----------------------
# ``tinyticket.kernels.sparse_linear`` is that loop in machine code, with several vectors of samples held in registers at
# once. ``tinyticket bench --asm sparse_linear`` prints what the processor gets to see: in the innermost loop a survivor's
# place and value are loaded, and then there are only multiplications with additions (on x86 ``vfmadd231ps``) that read the
# tile.

pattern = tt.kernels.Pattern.from_mask(mask, lanes=packed.shape[2])
layer = tt.kernels.prepare_sparse_linear(pattern, weight[mask], bias, packed, threads=1)
assert np.allclose(tt.kernels.unpack(layer(), samples), expected, atol=1e-4)


def best(call, repetitions=30):
    """Return the shortest time of a call in seconds: what disturbs a measurement only ever makes it longer."""
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


dense, sparse = best(lambda: x @ weight.T), best(layer)
print(
    f"dense with BLAS (all its threads) {1e6 * dense:.0f} us, sparse at {density:.0%} on one thread {1e6 * sparse:.0f} us"
)

# %%
# Under the roofline
# ------------------
# What limits it? A survivor needs, for each vector of sixteen samples, one multiplication with addition (32 operations) and
# 64 bytes of the tile, which lie in the second-level cache: half an operation for a byte. A core delivers about 64 bytes from
# there in a cycle and could do two such operations, so that the cache is the roof; a dense layer reuses what it has loaded
# and meets the arithmetic's. ``python -m benchmarks kernels`` measures both on your machine, and the roofline of the page on
# performance shows where each lies.

operations = 2 * samples * mask.sum()
print(f"{operations / sparse / 1e9:.1f} billion operations a second of those that survive,")
print(f"as many as a dense layer at {2 * samples * mask.size / sparse / 1e9:.0f} billion")
