"""Runs in pymrio's own environment: what problem.npz holds, answer.npz out."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
import pymrio


def parse(folder: str, year: int, answer: str, repeats: int) -> dict[str, list[float]]:
    """Read the OECD table in a folder."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        table = pymrio.parse_oecd(folder, year=year)
        seconds.append(time.perf_counter() - began)
    np.savez(answer, Z=table.Z.to_numpy(), Y=table.Y.to_numpy())
    return {"seconds": seconds}


def footprint(problem: dict[str, np.ndarray], answer: str, repeats: int) -> dict[str, list[float]]:
    """All accounts of one extension, from flows in frames; its inverse timed apart."""
    regions, sectors = problem["regions"].tolist(), problem["sectors"].tolist()
    nodes = pd.MultiIndex.from_product([regions, sectors], names=["region", "sector"])
    buyers = pd.MultiIndex.from_product([regions, ["final"]], names=["region", "category"])
    Z = pd.DataFrame(problem["Z"], nodes, nodes)
    Y = pd.DataFrame(problem["Y"], nodes, buyers)
    F = pd.DataFrame(problem["F"], pd.Index(["co2"], name="stressor"), nodes)
    seconds, alone, inverse = [], [], []
    for _ in range(repeats):
        table = pymrio.IOSystem(Z=Z, Y=Y)
        table.gas = pymrio.Extension("gas", F=F)
        began = time.perf_counter()
        table.calc_all()
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        pymrio.calc_L(table.A)
        inverse.append(time.perf_counter() - began)
        began = time.perf_counter()
        x = pymrio.calc_x(Z, Y)
        L = pymrio.calc_L(pymrio.calc_A(Z, x))
        by_buyer = pymrio.calc_M(pymrio.calc_S(F, x), L) @ Y
        alone.append(time.perf_counter() - began)
    gas = table.gas
    accounts = [gas.D_pba_reg, gas.D_cba_reg, gas.D_exp_reg, gas.D_imp_reg]
    np.savez(
        answer,
        accounts=np.array([x.loc["co2"].to_numpy() for x in accounts]),
        footprint=by_buyer.loc["co2"].to_numpy(),
    )
    return {"seconds": seconds, "alone": alone, "inverse": inverse}


def main(problem: str, answer: str, _tolerance: float, repeats: int) -> None:
    with np.load(problem) as given:
        if "folder" in given:
            done = parse(str(given["folder"]), int(given["year"]), answer, repeats)
        else:
            done = footprint(dict(given), answer, repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**done, "peak_mib": peak}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
