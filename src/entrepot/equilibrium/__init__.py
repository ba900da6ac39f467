"""The trade equilibrium (years): Caliendo & Parro (2015) in exact hat algebra.

`Economy` is the calibrated base, `TradeShock` what changes, `solve` finds the
new equilibrium, `certify` checks it against the equations, `welfare_split`
explains it.
"""
