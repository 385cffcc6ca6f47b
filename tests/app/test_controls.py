"""What must be noticed when it is wrong: a changed fact, a flipped bit, a damaged artifact."""

import apsw
import msgspec
import pytest

from obligor import decision
from obligor.app.artifacts import Artifacts
from obligor.journal.schema import FILE
from obligor.kernel import Corrupted
from tests.applicants import BUREAU, FIELDS


@pytest.fixture
def decided(lender):
    answers = [
        lender.apply(
            person={"reference": f"control-{n}"},
            fields={**FIELDS, **BUREAU},
            amount_minor=500_000 + n * 10_000,
        )
        for n in range(6)
    ]
    assert {answer["status"] for answer in answers} == {"decided"}
    return answers


def test_a_changed_fact_makes_replay_mismatch(lender, decided):
    artifacts = lender.service.means.artifacts
    event = lender.service.journal.reader().event("main", decided[0]["decision_event_id"])
    assert decision.replay(event, artifacts).equal
    for name, value in event.body.facts.items():
        if isinstance(value, int) and not isinstance(value, bool):
            facts = {**event.body.facts, name: value + 1}
            changed = msgspec.structs.replace(event, body=msgspec.structs.replace(event.body, facts=facts))
            assert not decision.replay(changed, artifacts).equal, name


FLIPPED = ("envelope", "sealed", "body_root", "leaf", "stream", "type", "id")


def flipped(stored):
    """The same with one bit changed, in the middle."""
    data = bytearray(stored.encode() if isinstance(stored, str) else stored)
    data[len(data) // 2] ^= 1
    return data.decode() if isinstance(stored, str) else bytes(data)


@pytest.mark.parametrize("column", FLIPPED)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_flipped_bit_in_the_log_makes_the_audit_name_the_entry(lender, decided, column, place):
    assert lender.service.audit("main").ok
    size = lender.service.journal.reader().size("main")
    known_seq = {"first": 0, "middle": size // 2, "last": size - 1}[place]
    database = apsw.Connection(str(lender.directory / "journal" / FILE))
    database.set_busy_timeout(10_000)
    try:
        key = (known_seq,)
        (stored,) = database.execute(f"SELECT {column} FROM event WHERE known_seq = ?", key).fetchone()
        damaged = flipped(stored)
        assert damaged != stored
        database.execute(f"UPDATE event SET {column} = ? WHERE known_seq = ?", (damaged, known_seq))
        (now,) = database.execute(f"SELECT {column} FROM event WHERE known_seq = ?", key).fetchone()
        assert now == damaged
        report = lender.service.audit("main")
        assert (report.ok, report.first_bad) == (False, known_seq)
        database.execute(f"UPDATE event SET {column} = ? WHERE known_seq = ?", (stored, known_seq))
        assert lender.service.audit("main").ok
    finally:
        database.close()


def test_a_damaged_strategy_or_model_is_refused_with_its_digest(lender, decided):
    artifacts = Artifacts(lender.directory / "artifacts")
    shown = lender.get(f"/v1/decisions/{decided[0]['decision_id']}")
    digests = {version["part"]: version["sha256"] for version in shown["versions"]}
    assert artifacts.strategy(digests["strategy"]).sha256 == digests["strategy"]
    table = lender.directory / "artifacts" / "strategies" / digests["strategy"] / "limit.csv"
    table.write_bytes(table.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(Corrupted, match=digests["strategy"]):
        Artifacts(lender.directory / "artifacts").strategy(digests["strategy"])
    model = lender.directory / "artifacts" / "models" / f"{digests['model']}.json"
    model.write_bytes(model.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(Corrupted, match=digests["model"]):
        Artifacts(lender.directory / "artifacts").model(digests["model"])
