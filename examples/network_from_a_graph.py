"""
A network from a graph of yours
===============================

Genes to pathways, by name: a layer that has the graph's connections and no others, trained, pruned and judged. ``python
examples/network_from_a_graph.py`` takes some seconds.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np

import tinyticket as tt

# %%
# A graph and data
# ----------------
# Both are made up here, in the form in which such things are kept: a table of edges, gene and pathway, and of each sample the
# expression of every gene. In this world who is ill has "growth" above "repair", which is what the network is to find.

rng = np.random.default_rng(0)
genes, folder = [f"gene{number:03d}" for number in range(300)], Path(tempfile.mkdtemp())
pathways = ["repair", "growth", *(f"pathway{number:02d}" for number in range(2, 40))]
members = {pathway: rng.choice(genes, rng.integers(8, 25), replace=False) for pathway in pathways}
with open(folder / "edges.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerow(("gene", "pathway"))
    table.writerows((gene, pathway) for pathway in pathways for gene in members[pathway])


def samples(count):
    """Return expressions (count, genes), and who is ill: pathways move their genes together, and every gene moves by itself."""
    activity = rng.standard_normal((count, len(pathways)))
    x = rng.standard_normal((count, len(genes))) / 2
    for number, pathway in enumerate(pathways):
        x[:, [genes.index(gene) for gene in members[pathway]]] += activity[:, [number]]
    return x.astype(np.float32), (activity[:, 1] - activity[:, 0] > 0).astype(int)


(x_train, y_train), (x_test, y_test) = samples(3000), samples(1000)

# %%
# A network
# ---------
# ``read_connections`` reads the table. The data say how many genes there are and in which order; some are in no pathway. The
# layer's weight is one number for each edge: nothing of the size genes x pathways is ever made.

graph = tt.data.read_connections(folder / "edges.csv", input_names=genes)
print(graph, f"{graph.density:.1%} of all pairs")


def make(rng):
    """Return a network whose first layer is the graph; each call draws new weights for the same connections."""
    return tt.nn.Sequential(
        {
            "pathways": tt.nn.SparseLinear(len(genes), graph.shape[0], graph, rng=rng),
            "relu": tt.nn.ReLU(),
            "output": tt.nn.Linear(graph.shape[0], 2, rng=rng),
        }
    )


# %%
# Pruned and judged
# -----------------
# The ordinary experiment; densities are shares of the connections. Beside each ticket trains ``rewired``: a random graph in which
# every gene and every pathway has as many connections. If that does as well, it is not the biology that matters.

settings = {"rounds": 5, "prune": 0.4, "trials": 3, "iterations": 400, "batch_size": 50, "validation": 500, "lr": 0.005}
result = tt.lottery.find(
    make,
    (x_train, y_train, x_test, y_test),
    **settings,
    evaluate_every=20,
    controls="reinit,rewired",
    out=folder / "graph.h5",
)
for number in range(6):
    runs = [trial.rounds[number] for trial in result.trials]
    line = f"{runs[0].density:6.1%} of the connections: {np.mean([run.final_test_accuracy for run in runs]):.1%} right"
    for control in runs[0].controls:
        line += f", {control} {np.mean([run.controls[control].final_test_accuracy for run in runs]):.1%}"
    print(line)
print(result.verdict["text"])

# %%
# By name
# -------
# The strongest edges that survive: the weight of the edge times that of its pathway at the output, where classes differ by
# the difference of two weights.

model, kept = result.model(0, 5), result.round(0, 5).masks["pathways.weight"]
edges = result.connections(0, 5)["pathways.weight"]
difference = model.output.weight.data[1] - model.output.weight.data[0]
strength = model.pathways.weight.data * difference[edges.rows()]
names = graph.input_names, graph.output_names
strongest = np.argsort(-np.abs(strength * kept))[:10]
for place in strongest:
    gene, pathway = names[0][edges.columns[place]], names[1][edges.rows()[place]]
    print(f"  {gene} -> {pathway:10} {strength[place]:+.2f}")
found = [names[1][edges.rows()[place]] in ("repair", "growth") for place in strongest]
print(f"{sum(found)} of the 10 strongest edges lead to the two pathways that decide")
