"""Files that were cut short, or in which bits have flipped: refused, or named; never a silent wrong answer.

What a damaged copy says is compared with everything the sound files said. Beside what lies in the files there
is what others hold: checkpoints, without which a journal that lost its end is merely a shorter one.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from obligor.journal import Answer
from obligor.kernel import ObligorError
from obligor.proof import audit
from tests.faults.disk import without_syncs
from tests.faults.lending import TENANTS, Attempt, attempts, lender, projections
from tests.journal.support import SIGNER, House

JOURNAL, VAULT = Path("journal/journal.db"), Path("vault/vault.sqlite")
HARMLESS, SILENT = "harmless", "silent"
# No hash covers how far processors have come, and answers already given: neither those that stand as they are
# nor whose key has sealed them, where no event needs it.
UNCOVERED = {"cursor", "idempotency", "idempotency_person", "person_key"}


@dataclass(frozen=True)
class Sound:
    """Files without damage, what they say, and what others hold about them."""

    directory: Path
    tried: list[Attempt]
    outcomes: list[bytes | str]
    said: Any
    notes: dict[str, str]


def _filled(place: Path, count: int, *, closed: bool) -> Sound:
    """As a clean end leaves the files, or as a kill does, with all of it in the write-ahead logs."""
    live, directory = place / "live", place / "data"
    tried = attempts(4, count)
    with without_syncs(), lender(live, synchronous="OFF", vault_synchronous="OFF") as h:
        h.journal.submit_many([attempt.command for attempt in tried]).result(60)
        h.journal._writer.call(h.journal._committer.idle).result(30)
        notes = {tenant: h.journal.checkpoint(tenant) for tenant in TENANTS}
        sound = Sound(directory, tried, _answers(h, tried), _readings(h), notes)
        if not closed:
            shutil.copytree(live, directory, ignore=shutil.ignore_patterns("*-shm"))
    if closed:
        shutil.copytree(live, directory)
    return sound


@pytest.fixture(scope="module", params=["closed", "killed"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """A short life, ended in one way or the other."""
    return _filled(tmp_path_factory.mktemp(request.param), 60, closed=request.param == "closed")


@pytest.fixture(scope="module")
def tall(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """A life long enough for tiles."""
    return _filled(tmp_path_factory.mktemp("tall"), 560, closed=True)


def _readings(h: House) -> Any:
    reader = h.journal.reader()
    events = {tenant: [*reader.events(tenant)] for tenant in reader.tenants()}
    return events, [reader.cursor(tenant, "client") for tenant in TENANTS], projections(h)


def _answers(h: House, tried: list[Attempt]) -> list[bytes | str]:
    """What each attempt is answered when it is made again, and what is wrong where it is not answered so."""
    outcomes = h.journal.submit_many([attempt.command for attempt in tried]).result(60)
    return [
        (each.data if each.replayed else "taken for new") if isinstance(each, Answer) else type(each).__name__
        for each in outcomes
    ]


def _examine(sound: Sound, directory: Path) -> str:
    """What becomes of a damaged copy: how it is found, or that it is harmless, or silent."""
    try:
        with without_syncs(), lender(directory, synchronous="OFF", vault_synchronous="OFF") as h:
            found = _complaint(h, sound)
            if found is None:
                found = _difference(h, sound)
    except ObligorError as error:
        found = f"refused: {type(error).__name__} {error}"
    return found


def _difference(h: House, sound: Sound) -> str:
    """Whether it says what it said before, where nothing has complained."""
    if _readings(h) != sound.said:
        return SILENT
    answers = _answers(h, sound.tried)
    others = {now for now, then in zip(answers, sound.outcomes, strict=True) if now != then}
    if not others:
        return HARMLESS
    return "refused: an answer" if others <= {"Corrupted", "StoreFailed", "Unavailable"} else SILENT


def _complaint(h: House, sound: Sound) -> str | None:
    """What the means that the keeper of the files has say of them."""
    if not all(_intact(each) for each in (h.journal._store._connection, h.vault._rows._connection)):
        return "named: integrity"
    reader = h.journal.reader()
    for tenant in TENANTS:
        report = audit(
            reader.entries(tenant),
            [*reader.checkpoints(tenant), sound.notes[tenant]],
            SIGNER.verifier,
            tiles=reader.read_tile(tenant),
            unseal=lambda entry, tenant=tenant: reader.unsealed(tenant, entry),
        )
        if not report.ok:
            assert report.why
            return "named: audit"
        if reader.misfiled(tenant) is not None:
            return "named: misfiled"
    live = projections(h)
    h.journal.rebuild()
    return "named: rebuild" if projections(h) != live else None


def _intact(connection: apsw.Connection) -> bool:
    try:
        return bool(connection.pragma("integrity_check") == "ok")
    except apsw.Error:
        return False


def _copy(sound: Sound, place: Path) -> Path:
    return Path(shutil.copytree(sound.directory, place / "data"))


def _damaged(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    assert data != path.read_bytes(), "the damage changed nothing"
    path.write_bytes(data)


def test_what_is_not_damaged_is_found_harmless(tmp_path: Path, sound: Sound) -> None:
    assert _examine(sound, _copy(sound, tmp_path)) == HARMLESS


@pytest.mark.parametrize("file", [JOURNAL, VAULT], ids=["journal", "vault"])
def test_a_file_that_was_cut_short_is_refused_or_named(tmp_path: Path, sound: Sound, file: Path) -> None:
    log = file.with_name(f"{file.name}-wal")
    logged = (sound.directory / log).exists()
    for each in (file, log) if logged else (file,):
        whole = (sound.directory / each).stat().st_size
        sizes = {0, 1, 99, 512, 4096, 8192, 16_384, whole // 2, whole - 8192, whole - 1}
        for size in sorted(size for size in sizes if 0 <= size < whole):
            directory = _copy(sound, tmp_path / f"{each.name}-{size}")

            def cut(data: bytearray, size: int = size) -> None:
                del data[size:]

            _damaged(directory / each, cut)
            found = _examine(sound, directory)
            # What the write-ahead log holds is not missed in the file, and a last checkpoint is signed again.
            missed = {SILENT} if logged else {SILENT, HARMLESS}
            assert found not in missed, f"{size} of {whole} bytes of {each.name}"


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("event", "tenant known_seq id stream stream_version type envelope sealed body_root leaf"),
        ("tile", "tenant level position hashes"),
        ("head", "tenant size root"),
        # Under nobody's name it is merely one fewer of many.
        ("checkpoint", "size note"),
    ],
)
def test_a_bit_in_any_column_of_the_log_is_found(
    tmp_path: Path, tall: Sound, table: str, columns: str
) -> None:
    luck = random.Random(3)
    for column in columns.split():
        directory = _copy(tall, tmp_path / column)
        connection = apsw.Connection(str(directory / JOURNAL))
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        where = " AND ".join(f"{name} = ?" for name in names)
        while True:
            row = dict(zip(names, luck.choice(rows), strict=True))
            changed = _flipped(row[column], luck)
            assert changed != row[column]
            with suppress(apsw.ConstraintError):
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (changed, *row.values()))
                break
        assert connection.changes() == 1
        connection.close()
        assert _examine(tall, directory) not in {HARMLESS, SILENT}, column


def _flipped(value: Any, luck: random.Random) -> Any:
    if isinstance(value, int):
        return value ^ 1 << luck.randrange(12)
    if isinstance(value, str):
        at = luck.randrange(len(value))
        return value[:at] + chr(ord(value[at]) ^ 1 << luck.randrange(5)) + value[at + 1 :]
    data = bytearray(value)
    data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)
    return bytes(data)


@pytest.mark.parametrize(
    "flips", [25, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_no_flipped_bit_changes_an_answer_in_silence(tmp_path: Path, sound: Sound, flips: int) -> None:
    luck = random.Random(1)
    seen: Counter[str] = Counter()
    for number in range(flips):
        directory = _copy(sound, tmp_path / str(number))
        owner = _flip(directory, luck)
        found = _examine(sound, directory)
        assert found != SILENT or owner in UNCOVERED, f"flip {number} in {owner}"
        seen[found] += 1
        shutil.rmtree(directory.parent)
    assert seen.total() - seen[HARMLESS] - seen[SILENT] >= flips // 4


def _flip(directory: Path, luck: random.Random) -> str:
    """Flip one bit, mostly of something; the table or index it belongs to, or its file."""
    kept = [path for path in sorted(directory.rglob("*")) if path.suffix in {".db", ".sqlite"}]
    logs = [path for path in sorted(directory.rglob("*-wal")) if path.stat().st_size]
    file = luck.choice([*kept, *logs])
    data = file.read_bytes()
    used = luck.random() < 0.8
    at = luck.choice([place for place, byte in enumerate(data) if byte or not used])
    owner = _owner(file, at) if file in kept else file.name

    def flip(data: bytearray) -> None:
        data[at] ^= 1 << luck.randrange(8)

    _damaged(file, flip)
    return owner


def _owner(file: Path, at: int) -> str:
    """Whose page it is."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(f"file:{file}?immutable=1", flags=flags)
    try:
        page = at // connection.pragma("page_size") + 1
        row = connection.execute("SELECT name FROM dbstat WHERE pageno = ?", (page,)).fetchone()
    finally:
        connection.close()
    return str(row[0]) if row else "nothing"


def test_lock_files_that_somebody_left_behind_are_in_nobodys_way(tmp_path: Path, sound: Sound) -> None:
    directory = _copy(sound, tmp_path)
    locks = [directory / "journal" / "journal.lock", directory / "vault" / "vault.sqlite.lock"]
    for content in (b"", b"4711\n", b"\0" * 4096):
        for lock in locks:
            assert lock.exists()
            lock.write_bytes(content)
        assert _examine(sound, directory) == HARMLESS
    for lock in locks:
        lock.unlink()
    assert _examine(sound, directory) == HARMLESS
