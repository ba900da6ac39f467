"""Runs in ioaudit's own environment: audits the table in problem.npz, answer.npz out."""

from __future__ import annotations

import json
import sys
import time

import ioaudit
import numpy as np

TOLERANCE = {"absolute": 1e-3, "relative": 1e-9}


def main(problem: str, answer: str, _tolerance: float, repeats: int) -> None:
    with np.load(problem) as given:
        Z, Y, V, x = given["Z"], given["Y"], given["V"], given["x"]
    labels = [f"n{i}" for i in range(len(x))]
    closed = ioaudit.AccountingConvention(
        transaction_scope="total",
        import_treatment="none",
        trade_representation="embedded",
        input_representation="complete",
    )
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        system = ioaudit.IOSystem(Z, x, labels, Y=Y, V=V, accounting=closed)
        report = ioaudit.audit(system, accounting_tolerance=TOLERANCE)
        seconds.append(time.perf_counter() - began)
    np.savez(answer, passed=np.array(report.passed()))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
