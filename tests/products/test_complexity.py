"""Economic complexity against an eigenvector computed apart."""

import numpy as np
import plain_trade as reference
import pytest

import trade_files
from entrepot.core.errors import DataError
from entrepot.products.build import build_store
from entrepot.products.connect import connect
from entrepot.products.execute import records
from entrepot.sources.baci import read_baci

YEAR = 2022


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A store of 20 economies and 60 products: the more able export more kinds."""
    folder = tmp_path_factory.mktemp("wide")
    rng = np.random.default_rng(3)
    able, hard = rng.normal(0, 1, 20), rng.normal(0, 1, 60)
    lines = ["t,i,j,k,v,q"]
    for i in range(20):
        for k in range(60):
            if rng.random() < 1 / (1 + np.exp(-2 * (able[i] - hard[k]) - 1)):
                value = rng.lognormal(2, 1)
                lines.append(f"{YEAR},{300 + i},{300 + (i + 1) % 20},{100000 + k},{value:.3f},1")
    (folder / trade_files.name(YEAR)).write_text("\n".join(lines) + "\n")
    return build_store(read_baci([folder]), folder / "store")


def test_the_index_is_the_second_eigenvector(wide):
    pytest.importorskip("ecomplexity", reason="the extra `complexity` is not installed")
    from entrepot.products.complexity import complexity

    with connect(wide) as tables:
        economies, products = complexity(tables.trade, YEAR)
        flows = records(tables.trade)
    found = reference.rca(flows)
    names = sorted({e for e, _ in found}), sorted({p for _, p in found})
    M = np.array([[float(found.get((e, p), 0) >= 1) for p in names[1]] for e in names[0]])
    per_economy, per_product = M.sum(1), M.sum(0)
    assert per_economy.min() > 0
    assert per_product.min() > 0
    # Symmetric with the same eigenvalues: D^-1/2 M U^-1 M' D^-1/2.
    half = M / np.sqrt(np.outer(per_economy, per_product))
    values, vectors = np.linalg.eigh(half @ half.T)
    assert values[-1] == pytest.approx(1)
    k = vectors[:, -2] / np.sqrt(per_economy)
    k *= np.sign(np.corrcoef(k, per_economy)[0, 1])
    eci = (k - k.mean()) / k.std()
    assert list(economies["economy"]) == names[0]
    np.testing.assert_allclose(economies["eci"], eci, atol=1e-10)
    np.testing.assert_allclose(economies["diversity"], per_economy)
    np.testing.assert_allclose(products["ubiquity"], per_product)
    # The mean of the complexity of what an economy exports is its own.
    own = M @ products["pci"].to_numpy() / per_economy
    np.testing.assert_allclose(own, eci, atol=1e-10)


def test_too_few_economies_are_refused(wide):
    pytest.importorskip("ecomplexity", reason="the extra `complexity` is not installed")
    from entrepot.products.complexity import complexity

    with connect(wide) as tables:
        with pytest.raises(DataError, match="0 economies export 0 products"):
            complexity(tables.trade, 1999)
        few = tables.trade.filter(tables.trade.exporter.isin(["300", "301"]))
        with pytest.raises(DataError, match="3 to 6,000 are needed"):
            complexity(few, YEAR)
