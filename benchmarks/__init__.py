"""Benchmarks against every peer: `python -m benchmarks {kernels,step,run}`.

One file a benchmark (kernels and its parts, step, run), one for how anything is timed (timing.py), and one a peer.
`python -m benchmarks --help` lists the options; docs/performance.md holds a run.
"""
