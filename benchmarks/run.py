"""Speed, peers included, as one table of ratios: `make bench`, or

python benchmarks/run.py [ROW ...] [--list] [--json FILE] [--threads N]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed, peers included, as a table of ratios.")
    parser.add_argument("rows", nargs="*", help="rows to measure; all when none is named")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything measured")
    parser.add_argument("--threads", default="1", help="BLAS threads, ours and peers' (default 1)")
    args = parser.parse_args()
    # Before numpy is imported; children inherit it.
    os.environ["OPENBLAS_NUM_THREADS"] = args.threads

    import against
    import chains
    import growth
    import measures
    import own
    import products
    import systemic
    import tables
    from harness import dump, machine, show

    table = {
        "tariffs": own.counterfactual_tariffs,
        "opening": own.counterfactual_opening,
        "dense": own.counterfactual_dense,
        "sweep": own.sweeping,
        "import": own.importing,
        "cli": own.command_line,
        **growth.ROWS,
        **against.ROWS,
        **tables.ROWS,
        **chains.ROWS,
        **measures.ROWS,
        **products.ROWS,
        **systemic.ROWS,
    }
    if args.list:
        print("\n".join(table))
        return
    if unknown := [name for name in args.rows if name not in table]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(table)}")
    about = machine()
    print("\n".join(f"{key}: {value}" for key, value in about.items()))
    rows = []
    for name in args.rows or table:
        print(f"measuring {name} ...", file=sys.stderr)
        rows += table[name]()
    print("\n" + show(rows))
    if args.json:
        dump(args.json, about | {"load_after": machine()["load"]}, rows)


if __name__ == "__main__":
    main()
