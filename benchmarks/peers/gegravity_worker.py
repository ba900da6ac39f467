"""Runs in gegravity's own environment: problem.npz in, answer.npz out, timings as JSON on stdout."""

from __future__ import annotations

import json
import sys
import time

import gegravity as ge
import numpy as np
import pandas as pd


def frame(z: np.lib.npyio.NpzFile, names: list[str]) -> pd.DataFrame:
    n = len(names)
    return pd.DataFrame(
        {
            "exporter": np.repeat(names, n),
            "importer": np.tile(names, n),
            "year": "2020",
            "trade": z["trade"].ravel(),
            "Y": np.repeat(z["Y"], n),
            "E": np.tile(z["E"], n),
            "cost": z["log_cost"].ravel(),
        }
    )


def model(z: np.lib.npyio.NpzFile, names: list[str], tolerance: float) -> ge.OneSectorGE:
    baseline = ge.BaselineData(
        frame(z, names),
        imp_var_name="importer",
        exp_var_name="exporter",
        year_var_name="year",
        trade_var_name="trade",
        expend_var_name="E",
        output_var_name="Y",
    )
    one = pd.DataFrame([{"var": "cost", "coeff": 1.0, "ste": 0.0}])
    built = ge.OneSectorGE(
        baseline,
        year="2020",
        reference_importer=names[0],
        expend_var_name="E",
        output_var_name="Y",
        sigma=float(z["sigma"]),
        cost_variables=["cost"],
        cost_coeff_values=ge.CostCoeffs(
            one, identifier_col="var", coeff_col="coeff", stderr_col="ste"
        ),
        quiet=True,
    )
    built.build_baseline(mr_tolerance=tolerance, mr_max_iter=100_000)
    return built


def main(problem: str, answer: str, tolerance: float, repeats: int) -> None:
    z = np.load(problem)
    names = [str(name) for name in z["names"]]
    setup, seconds = [], []
    for _ in range(repeats):  # simulate() consumes the model, so each repeat builds its own
        began = time.perf_counter()
        built = model(z, names, tolerance)
        setup.append(time.perf_counter() - began)
        experiment = built.baseline_data.drop(columns="index")
        experiment["cost"] = z["log_cost_new"].ravel()  # rows are in exporter, importer order
        began = time.perf_counter()
        built.define_experiment(experiment)
        built.simulate(ge_tolerance=tolerance, ge_max_iter=100_000)
        seconds.append(time.perf_counter() - began)
    trade = built.bilateral_trade_results
    np.savez(
        answer,
        price=built.factory_gate_prices.iloc[:, 0].astype(float).loc[names].to_numpy(),
        gdp=built.country_results["GDP change (percent)"].astype(float).loc[names].to_numpy(),
        base=trade["baseline modeled trade"].unstack("importer").loc[names, names].to_numpy(),
        trade=trade["experiment trade"].unstack("importer").loc[names, names].to_numpy(),
    )
    solved = all(d.success for d in built.solver_diagnostics.values())
    print(json.dumps({"setup": setup, "seconds": seconds, "converged": bool(solved)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
