"""What can go wrong, one class per stage; every message says what, where and what to do."""

from __future__ import annotations


class EntrepotError(Exception):
    """Base class: `except EntrepotError` catches every deliberate failure.

    `exit_code` is what the command line returns for it.
    """

    exit_code = 2


class DataError(EntrepotError):
    """A file, package or download is missing, damaged or not what it claims to be."""


class WorldError(EntrepotError):
    """A world table is malformed or does not balance."""


class MeasureError(EntrepotError):
    """A measure is unknown, or cannot be taken of this world: the message says why."""


class ScenarioError(EntrepotError):
    """A scenario names something unknown or contradicts itself or the world it is asked of."""


class InfeasibleError(EntrepotError):
    """The question has no equilibrium: the message names the cells and the remedy."""

    exit_code = 3


class NotConvergedError(EntrepotError):
    """No certified solution was reached; no numbers are returned."""

    exit_code = 3


class OutputError(EntrepotError):
    """Results could not be written; nothing was left half-written."""


class WorkersError(EntrepotError):
    """Workers of a sweep could not be reached or ended; what they had finished is kept."""
