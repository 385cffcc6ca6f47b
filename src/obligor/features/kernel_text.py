"""The fixed parts of a kernel's text, which is Python for numba."""

from __future__ import annotations

__all__ = ["FILL", "HEAD", "HELPERS", "PLACE", "WALK"]

HEAD = '''"""Feature kernels, generated from a catalogue: do not edit, the digest of the text is its name."""

import numpy as np
from numba import from_dtype, njit, types

ROW = np.dtype({row}, align=True)
NULL = {null}
MOST = {most}
DAY = {day}
NEVER = -(2**62)
INTEGERS = [types.int64(*count * [types.int64]) for count in range(5)]
ROWS = types.Array(from_dtype(ROW), 1, "C")
LONGS, CODES, BYTES = (
    types.Array(one, 1, "C", readonly=True) for one in (types.int64, types.int32, types.uint8)
)
WALK = types.void(
    ROWS, types.int64, types.int64, types.int64,
    types.int64[::1], types.int64, types.int32[:, ::1], types.int32, types.int64[::1],
)
FILL = types.void(
    ROWS, types.int64[::1], types.int64[::1], types.int64[::1], types.int64[::1],
    types.int64[::1], types.int64[::1], types.int32[:, ::1], types.int64[:, ::1],
)
PLACE = types.int64(ROWS, LONGS, LONGS, LONGS, LONGS, LONGS, CODES, CODES, CODES, BYTES, BYTES)
'''
# What finishes a feature; a kernel has those that it calls, each before those that call it.
HELPERS = {
    "nearest": '''

@njit(INTEGERS[3], cache=True, error_model="numpy")
def nearest(n, d, digits):
    """n / d with so many decimal digits, half to even. The digits one by one, since n times 10^4 may wrap."""
    whole = n // d
    rest = n - whole * d
    for _ in range(digits):
        if whole > MOST:
            return MOST
        rest *= 10
        digit = rest // d
        rest -= digit * d
        whole = whole * 10 + digit
    if 2 * rest > d or (2 * rest == d and whole % 2 == 1):
        whole += 1
    return max(min(whole, MOST), -MOST)
''',
    "ratio": """

@njit(INTEGERS[4], cache=True, error_model="numpy")
def ratio(n, d, digits, empty):
    return nearest(n, d, digits) if d > 0 else empty
""",
    "days": """

@njit(INTEGERS[4], cache=True, error_model="numpy")
def days(as_of, t, scale, empty):
    return empty if t == NULL else min((as_of - t) * scale // DAY, MOST)
""",
    "known": """

@njit(INTEGERS[2], cache=True, error_model="numpy")
def known(value, empty):
    return empty if value == NULL else value
""",
    "where": """

@njit(INTEGERS[3], cache=True, error_model="numpy")
def where(found, value, empty):
    return value if found > 0 else empty
""",
}
WALK = """

@njit(WALK, cache=True, error_model="numpy")
def {name}(rows, count, as_of, known_upto, codes, currency, seen, mark, out):
    low = 0
    high = count
    while low < high:
        middle = (low + high) >> 1
        if rows[middle].at_us <= as_of:
            low = middle + 1
        else:
            high = middle
    i = low - 1
    stage = 0
"""
FILL = '''

@njit(FILL, cache=True, error_model="numpy")
def fill(rows, ends, person, as_of, known_upto, codes, currency, seen, out):
    """The same walks for many moments; person p has rows[ends[p]:ends[p + 1]], none where p is -1."""
    for r in range(len(person)):
        p = person[r]
        begin = ends[p] if p >= 0 else 0
        count = ends[p + 1] - begin if p >= 0 else 0
        some = rows[begin : begin + count]
'''
PLACE = '''

@njit(PLACE, cache=True, error_model="numpy")
def place(rows, ends, at, known_seq, until_seq, amount, category, party, currency, kind, direction):
    """Columns become rows; how many of a person's rows are not in order: 0 where all is well."""
    wrong = 0
    for p in range(len(ends) - 1):
        for i in range(ends[p], ends[p + 1]):
            row = rows[i]
            row.at_us = at[i]
            row.known_seq = known_seq[i]
            row.until_seq = until_seq[i]
            row.amount_minor = amount[i]
            row.event = 0
            row.category = category[i]
            row.party = party[i]
            row.currency = currency[i]
            row.kind = kind[i]
            row.direction = direction[i]
            if i > ends[p]:
                later = known_seq[i] >= known_seq[i - 1]
                wrong += at[i] < at[i - 1] or (at[i] == at[i - 1] and not later)
    return wrong
'''
