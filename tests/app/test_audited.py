"""The audit reads the journal once, and still sees what the log does not commit to: the columns."""

from __future__ import annotations

import apsw
import pytest

from obligor.app.queries import proof
from obligor.journal.schema import FILE


@pytest.mark.parametrize(
    ("column", "value"), [("type", "loan.closed"), ("stream", "loan/x"), ("stream_version", 7), ("id", "x")]
)
def test_a_column_that_contradicts_its_envelope_is_named(lender, column, value):
    for number in range(3):
        lender.apply(person={"reference": f"customer-{number}"})
    lender.settle()
    reader, vkey = lender.service.journal.reader(), lender.service.vkey
    good = proof.audited(reader, "main", vkey)
    assert good.ok
    assert good.entries > 4
    with apsw.Connection(str(lender.directory / "journal" / FILE)) as database:
        database.set_busy_timeout(20_000)
        database.execute(f"UPDATE event SET {column} = ? WHERE tenant = 'main' AND known_seq = 4", (value,))
        assert database.changes() == 1
    for bodies in (True, False):
        found = proof.audited(reader, "main", vkey, bodies=bodies)
        assert (found.ok, found.first_bad) == (False, 4)
        assert f"column {column} of entry 4" in found.why
