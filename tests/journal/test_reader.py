"""Reading beside the writer: what is chosen, in what order, from which process."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from obligor.journal import Answer, FileKeys, Vault, open_reader
from obligor.journal import queries as q
from obligor.kernel import NotFound, Unavailable
from obligor.proof import root_of, verify_inclusion
from tests.journal.support import (
    TENANT,
    House,
    backend_at,
    cap,
    command,
    device,
    fee,
    house,
    party,
    vault_at,
)


def _mixed(h: House) -> None:
    h.journal.submit_many(
        [
            command(party("p1"), device("p1", "a")),
            command(fee("l1", 1, person="p1"), fee("l2", 2, person="p2")),
            command(cap("c", 5)),
            command(fee("l1", 3, person="p1")),
            command(device("p2", "b"), fee("l2", 4, person="p2")),
        ]
    ).result(30)


def test_events_are_chosen_by_stream_subject_type_and_place(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        _mixed(h)
        reader = h.journal.reader()

        def places(**chosen) -> list[int]:
            return [event.known_seq for event in reader.events(TENANT, **chosen)]

        assert places() == list(range(8))
        assert places(stream="loan/l1") == [2, 5]
        assert places(subject="p2") == [3, 6, 7]
        assert places(types=["fee.charged"]) == [2, 3, 5, 7]
        assert places(types=["fee.charged", "device.seen"], subject="p2") == [3, 6, 7]
        assert places(stream="loan/l2", subject="p2") == [3, 7]
        assert places(stream="loan/l2", subject="p1") == []
        assert places(stream="loan/l2", types=["cap.set"]) == []
        assert places(types=[]) == []
        assert places(after=3) == [4, 5, 6, 7]
        assert places(upto=3) == [0, 1, 2]
        assert places(after=1, upto=6, types=["fee.charged"]) == [2, 3, 5]
        assert places(stream="loan/l2", after=3) == [7]
        assert places(limit=3) == [0, 1, 2]
        assert places(limit=0) == []
        assert places(upto=100) == list(range(8))


@pytest.mark.parametrize("page", [1, 2, 3, 500])
def test_pages_leave_nothing_out(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(q, "PAGE", page)
    with house(tmp_path, store=store) as h:
        _mixed(h)
        reader = h.journal.reader()
        assert [event.known_seq for event in reader.events(TENANT)] == list(range(8))
        assert [event.known_seq for event in reader.events(TENANT, subject="p2")] == [3, 6, 7]
        assert [event.known_seq for event in reader.events(TENANT, stream="loan/l1")] == [2, 5]
        assert [event.known_seq for event in reader.events(TENANT, limit=5)] == list(range(5))
        assert [entry.known_seq for entry in reader.entries(TENANT, 2, 7)] == list(range(2, 7))
        h.do(fee("l1", 9))


def test_what_is_appended_while_events_are_taken_does_not_appear(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(q, "PAGE", 3)
    with house(tmp_path, store=store) as h:
        _mixed(h)
        taken = h.journal.reader().events(TENANT)
        first = next(taken)
        h.do(fee("l1", 9))
        assert [first.known_seq, *(event.known_seq for event in taken)] == list(range(8))


def test_single_events_are_found_or_not(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        _mixed(h)
        reader = h.journal.reader()
        event = reader.at(TENANT, 3)
        assert reader.event(TENANT, event.id) == event
        for missing in (
            lambda: reader.at(TENANT, 8),
            lambda: reader.event(TENANT, "x"),
            lambda: reader.at("west", 0),
        ):
            with pytest.raises(NotFound):
                missing()


def test_an_answer_can_be_read_back_at_once(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        for number in range(1, 20):
            answer = h.do(fee("l1", number)).value[0]
            assert h.journal.reader().event(TENANT, answer["event_id"]).body.amount_minor == number


def test_many_threads_read_while_one_writes(tmp_path: Path, store: str | None) -> None:
    failures: list[str] = []
    done = threading.Event()

    with house(tmp_path, store=store) as h:
        reader = h.journal.reader()

        def read() -> None:
            while not done.is_set():
                size = reader.size(TENANT)
                events = list(reader.events(TENANT, upto=size))
                if [event.known_seq for event in events] != list(range(size)):
                    failures.append("a hole")
                row = reader.query("SELECT sum(fees) AS n FROM p_loan")
                if (row[0]["n"] or 0) < size:
                    failures.append("a projection behind its events")

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for number in range(1, 25):
            h.do(fee("l1", number))
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_without_keys_the_log_can_be_read_and_bodies_stay_shut(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        _mixed(h)
        reader = open_reader(backend_at(tmp_path, store))
        leaves = [entry.leaf for entry in reader.entries(TENANT)]
        verify_inclusion(3, 8, leaves[3], reader.inclusion(TENANT, 3, 8), root_of(leaves))
        assert reader.query("SELECT count(*) AS n FROM p_loan") == [{"n": 2}]
        with pytest.raises(Unavailable, match="without keys"):
            reader.at(TENANT, 0)
        reader.close()
        with pytest.raises(Unavailable, match="closed"):
            reader.size(TENANT)


def test_another_process_reads_beside_the_writer(tmp_path: Path, store: str | None) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from obligor.journal import FileKeys, Vault, open_reader\n"
        "from tests.journal.support import backend_at, vault_at\n"
        "directory, store = Path(sys.argv[1]), sys.argv[2] or None\n"
        "keys = FileKeys(directory / 'kek', create=False)\n"
        "vault = Vault.open_read_only(vault_at(directory, store), keys)\n"
        "reader = open_reader(backend_at(directory, store), vault)\n"
        "for line in sys.stdin:\n"
        "    print(sum(e.body.amount_minor for e in reader.events(line.strip())), flush=True)\n"
    )
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), store or ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        total = 1
        for number in (2, 3, 4):
            h.do(fee("l1", number))
            total += number
            child.stdin.write(TENANT + "\n")
            child.stdin.flush()
            assert child.stdout.readline() == f"{total}\n"
        child.stdin.close()
        assert child.wait(30) == 0
        h.do(fee("l1", 5))


def test_a_read_only_vault_makes_and_destroys_nothing(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        vault = Vault.open_read_only(vault_at(tmp_path, store), FileKeys(tmp_path / "kek", create=False))
        assert vault.key(TENANT, "p1", "money") == h.vault.key(TENANT, "p1", "money")
        assert vault.index_key(TENANT) == h.vault.index_key(TENANT)
        for writing in (
            lambda: vault.ensure(TENANT, ["p9"]),
            lambda: vault.erase(TENANT, "p1", ["identity"]),
            lambda: vault.index_key("west"),
        ):
            with pytest.raises(Unavailable):
                writing()
        vault.close()
        assert isinstance(h.do(fee("l1", 5)), Answer)
