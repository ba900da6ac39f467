"""Runs in puremacro's own environment: problem.npz in, answer.npz out, timings as JSON on stdout."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from puremacro.trade import CaliendoParroModel


def main(problem: str, answer: str, tolerance: float, repeats: int) -> None:
    z = np.load(problem)
    setup, seconds = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        model = CaliendoParroModel(
            trade_shares=z["pi"].transpose(0, 2, 1),
            gamma_va=z["va"].T,
            gamma_io=z["g"].transpose(2, 1, 0),
            alpha=z["alpha"].T,
            theta=z["theta"],
            labor_income=z["V"],
            deficits=z["D"],
            tariffs=1 + z["t"].transpose(0, 2, 1),
        )
        setup.append(time.perf_counter() - began)
        began = time.perf_counter()
        result = model.solve_counterfactual(
            tariffs_new=1 + z["t_new"].transpose(0, 2, 1), deficit_rule="fixed", tol=tolerance
        )
        seconds.append(time.perf_counter() - began)
    np.savez(
        answer,
        base_X=model.baseline_X.T,
        welfare=result.welfare_hat,
        wage=result.w_hat,
        X=result.X_prime.T,
    )
    print(
        json.dumps(
            {
                "setup": setup,
                "seconds": seconds,
                "converged": bool(result.converged),
                "iterations": int(result.iterations),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
