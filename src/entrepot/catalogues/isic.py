"""ISIC Rev.4: sections and their divisions, and the divisions that a table's sector codes name."""

from __future__ import annotations

import re

# United Nations (2008), ISIC Rev.4, broad structure: first and last division of each section.
SECTIONS = {
    "A": (1, 3), "B": (5, 9), "C": (10, 33), "D": (35, 35), "E": (36, 39), "F": (41, 43),
    "G": (45, 47), "H": (49, 53), "I": (55, 56), "J": (58, 63), "K": (64, 66), "L": (68, 68),
    "M": (69, 75), "N": (77, 82), "O": (84, 84), "P": (85, 85), "Q": (86, 88), "R": (90, 93),
    "S": (94, 96), "T": (97, 98), "U": (99, 99),
}  # fmt: skip
_PART = re.compile(r"^([A-U]?)(\d{0,3})([A-Z]?)$")
_RANGE = re.compile(r"(?<=\d)T(?=\d)|-")
_JOIN = re.compile(rf"{_RANGE.pattern}|_")


def divisions(code: str) -> tuple[int, ...]:
    """ISIC divisions of a sector code as tables on ISIC Rev.4 or NACE Rev.2 write them.

    `C10T12` and `C10-C12` cover 10 to 12, `J62_63` 62 and 63, `C24A` and
    `C301` part of 24 and 30, `R_S` both sections. Empty for any other code.
    """
    found: set[int] = set()
    ends = []
    letter = ""
    for text in _JOIN.split(code):
        match = _PART.match(text)
        if not match or not (match[1] or match[2]):
            return ()
        letter = match[1] or letter
        if letter not in SECTIONS:
            return ()
        low, high = SECTIONS[letter]
        if match[2]:
            # A third digit is a group within the division.
            division = int(match[2][:2])
            if not low <= division <= high:
                return ()
            low = high = division
        elif match[3]:
            return ()
        ends.append((low, high))
    if _RANGE.search(code):
        return tuple(range(ends[0][0], ends[-1][1] + 1)) if len(ends) == 2 else ()
    for low, high in ends:
        found.update(range(low, high + 1))
    return tuple(sorted(found))
