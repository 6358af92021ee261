"""`python -m benchmarks`."""

import sys

from benchmarks.environment import start_again_fairly

if __name__ == "__main__":
    start_again_fairly()
    from benchmarks.program import main

    sys.exit(main())
