"""What commits cost while a result file grows: seconds, peak memory, and bytes that the whole run writes.

    python -m benchmarks.commits                    # 20 rounds of 250 MB
    python -m benchmarks.commits ../old             # another checkout first, then this one

Rounds are the random weights of three networks. Memory is what a commit takes beside its round, at its peak; "end" is the
time from the last commit to where the run lets the file go. Needs /proc, which only Linux has, and for a moment twice the room of
the file.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

HERE = Path(__file__).resolve().parents[1]

SCRIPT = """
import os, sys, time
from pathlib import Path
import numpy as np
from tinyticket.store import Archive

path, rounds, weights = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

def status(name, where="status"):
    line = next(line for line in open(f"/proc/self/{where}") if line.startswith(name))
    return int(line.split()[1]) * (1024 if where == "status" else 1)

archive, began, last, hot = Archive(path), time.perf_counter(), 0.0, 0
with archive.locked():
    for number in range(rounds):
        trained = np.random.default_rng(number).random((3, weights), np.float32)
        def write(file):
            file.attrs.update({"format": "tinyticket", "format_version": 1})
            for network, values in zip(("trained", "controls/reinit/trained", "controls/random/trained"), trained):
                file.create_dataset(f"trials/0/rounds/{number:02d}/{network}/weight", data=values)
        open("/proc/self/clear_refs", "w").write("5")
        before, start = status("VmRSS"), time.perf_counter()
        archive.commit(write)
        last = time.perf_counter()
        peak = status("VmHWM") - before
        hot = max(hot, peak)
        print(f"round {number:2}: {last - start:6.2f} s, {peak / 1e6:6.0f} MB", flush=True)
end = time.perf_counter()
with archive.read() as root:
    assert len(root.group("trials/0/rounds").names()) == rounds
size, written = os.path.getsize(path), status("write_bytes", "io")
print(f"end: {end - last:.2f} s; all: {end - began:.1f} s, {hot / 1e6:.0f} MB at most, {written / 1e9:.2f} GB written "
      f"for a file of {size / 1e9:.2f} GB ({written / size:.1f} times)")
"""


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("other", required=False)
@click.option("--rounds", default=20, show_default=True)
@click.option("--megabytes", default=250.0, show_default=True, help="Of a round.")
@click.option("--folder", help="Where the file is written, and removed.")
def main(other: str | None, rounds: int, megabytes: float, folder: str | None) -> None:
    weights = int(megabytes * 1e6 / 3 / 4)
    for checkout in [Path(other), HERE] if other else [HERE]:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            print(f"{checkout.resolve().name}:", flush=True)
            command = [sys.executable, "-c", SCRIPT, f"{place}/ticket.h5", str(rounds), str(weights)]
            subprocess.run(command, check=True, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout.resolve())})


if __name__ == "__main__":
    main()
