"""Runs in pymrio's own environment: reads the file named in problem.npz, answer.npz out."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import pymrio


def main(problem: str, answer: str, _tolerance: float, repeats: int) -> None:
    with np.load(problem) as given:
        folder, year = str(given["folder"]), int(given["year"])
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        table = pymrio.parse_oecd(folder, year=year)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.savez(answer, Z=table.Z.to_numpy(), Y=table.Y.to_numpy())
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
