"""Benchmarks against every peer: `python -m benchmarks {kernels,step,run,memory}`.

One file a benchmark (kernels and its parts, step, run, memory), one for how anything is timed (timing.py), and one a peer.
`python -m benchmarks --help` lists the options; docs/performance.md holds a run.
"""
