"""Trade with applied tariffs, 44 x 16 (2014) and 81 x 28 (2022): read, and made an economy.

Files of the programs behind Lashkaripour (2021): trade between and within economies, intermediate
and final together, tariffs included; applied tariffs (Teti, Global Tariff Database); eight sets of
trade elasticities. Value added and inputs are not in them: sectors use labour only.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from entrepot.core.errors import DataError
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.shares import economy_from_shares


def read(path: Path, elasticities: str) -> Economy:
    """The economy of one file under one of its elasticity sets, its deficits included."""
    try:
        with h5py.File(path) as file:
            data = file["data"]
            regions, sectors = (
                ["".join(map(chr, file[ref][()].ravel())) for ref in data[key][()].ravel()]
                for key in ("countries", "sectors")
            )
            # Stored [sector, importer, exporter].
            trade = data["Xjik_3D"][()].transpose(0, 2, 1)
            tariffs = data["tjik_3D"][()].transpose(0, 2, 1)
            theta = data["sigma"][elasticities]["epsilon_S"][()].ravel()
    except (OSError, KeyError) as error:
        raise DataError(f"{path}: cannot be read ({str(error)[:100]}).") from None
    n, s = len(regions), len(sectors)
    return economy_from_shares(
        regions,
        sectors,
        trade=trade,
        tariffs=tariffs,
        inputs=np.zeros((s, s, n)),
        value_added_shares=np.ones((s, n)),
        final_shares=trade.sum(1) / trade.sum((0, 1)),
        theta=theta,
    )
