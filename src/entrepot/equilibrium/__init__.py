"""The trade equilibrium (years): Caliendo & Parro (2015) in exact hat algebra.

`calibrate` makes an `Economy`, the base, from a World, and `economy_from_shares`
from published shares; `Variant` says how nests substitute and whether scale
matters. `TradeShock` is what changes, `solve` finds the new equilibrium,
`certify` checks it against the equations. `welfare_split` explains it to first
order, `path_split` exactly; `gradient`, `respond` and `world_response` are its
derivatives, `other_equilibria` looks for more than one.
"""
