"""The stand-in for an instruction set: the target CPU, vectors and tiles of them, sums, transposes, streaming, barriers."""
