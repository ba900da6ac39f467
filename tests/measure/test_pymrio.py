"""Footprints beside pymrio's, on the same table (pymrio is for development only: LGPL)."""

import warnings

import numpy as np
import pytest

from entrepot.measure.measurement import take
from entrepot.world.world import attach
from worlds import full_world


@pytest.mark.parametrize("empty", [0, 2])
def test_accounts_agree(empty):
    pd = pytest.importorskip("pandas")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pymrio = pytest.importorskip("pymrio")
        n, s = 5, 3
        world = full_world(11, n=n, s=s, empty=empty)
        made = world.x.reshape(n, s) > 0
        amounts = np.random.default_rng(2).uniform(0, 5, (n, s)) * made
        world = attach(world, "co2", amounts, ("region", "sector"), "Mt", "made up", "sum")
        nodes = pd.MultiIndex.from_product(
            [world.regions, world.sector_codes], names=["region", "sector"]
        )
        buyers = pd.MultiIndex.from_product(
            [world.regions, world.final_categories], names=["region", "category"]
        )
        Z = pd.DataFrame(world.Z, nodes, nodes)
        Y = pd.DataFrame(world.F.reshape(n * s, -1), nodes, buyers)
        F = pd.DataFrame(amounts.reshape(1, -1), pd.Index(["co2"], name="stressor"), nodes)
        theirs = pymrio.IOSystem(Z=Z, Y=Y)
        theirs.gas = pymrio.Extension("gas", F=F)
        theirs.calc_all()
        gas = theirs.gas

    def close(name, frame):
        found = take(world, f"{name}:co2").items[0].values
        expected = np.asarray(frame, float).reshape(found.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * amounts.sum())

    close("footprint", gas.D_cba_reg.loc["co2"])
    close("direct_intensity", np.where(made.ravel(), gas.S.loc["co2"], np.nan))
    close("intensity_multiplier", np.where(made.ravel(), gas.M.loc["co2"], np.nan))
    account = take(world, "production_and_consumption:co2").items[0].values
    for term, frame in enumerate((gas.D_pba_reg, gas.D_cba_reg, gas.D_exp_reg, gas.D_imp_reg)):
        np.testing.assert_allclose(
            account[:, term], frame.loc["co2"], rtol=1e-10, atol=1e-10 * amounts.sum()
        )
    products = gas.D_cba.loc["co2"].to_numpy().reshape(n, s)
    np.testing.assert_allclose(
        take(world, "footprint_by_product:co2").items[0].values.sum(), products.sum(), rtol=1e-10
    )
