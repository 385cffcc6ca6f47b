"""Keys: made once, wrapped, destroyed for good; and what they seal is bound to its place."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec
import pytest

from obligor.events import FieldClass
from obligor.journal import FileKeys, SystemEntropy, Vault, key_rows, load_signer
from obligor.journal import vault as module
from obligor.journal.sealing import commitment_keys, fresh_nonces, open_answer, open_event, seal_answer
from obligor.journal.store import EventRow
from obligor.journal.vault import OPEN_PADS, SEALED, ClassKey, Ring
from obligor.kernel import Corrupted, Forbidden, NotFound, Unavailable
from obligor.proof import OPEN_KEY, salts_key
from obligor.proof.batch import hmac_each
from tests.journal.support import TENANT, House, SeededEntropy, fee, house, party


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault.open(tmp_path / "vault.db", FileKeys(tmp_path / "kek"))
    yield made
    made.close()


def test_every_person_has_a_key_of_its_own_for_each_class(vault: Vault) -> None:
    assert vault.key("t", "p1", "identity") is None
    vault.ensure("t", ["p1", "p2", "p1"])
    vault.ensure("u", ["p1"])
    classes = ("identity", "conduct", "money")
    keys = {
        vault.key(tenant, person, kind)
        for tenant, person in (("t", "p1"), ("t", "p2"), ("u", "p1"))
        for kind in classes
    }
    assert len(keys) == 9
    assert all(key is not None and len(key) == 32 for key in keys)
    assert vault.key("t", "p1", "open") is None
    before = [vault.key("t", "p1", kind) for kind in classes]
    vault.ensure("t", ["p1", "p3"])
    assert [vault.key("t", "p1", kind) for kind in classes] == before


def test_keys_are_there_after_a_restart_and_not_in_clear(tmp_path: Path, vault: Vault) -> None:
    vault.ensure("t", ["p1"])
    key = vault.key("t", "p1", "money")
    index = vault.index_key("t")
    vault.close()
    data = (tmp_path / "vault.db").read_bytes()
    assert key is not None
    assert key not in data
    assert index not in data
    again = Vault.open(tmp_path / "vault.db", FileKeys(tmp_path / "kek"))
    assert (again.key("t", "p1", "money"), again.index_key("t")) == (key, index)
    assert again.index_key("u") != index
    again.close()


def test_a_destroyed_key_stays_destroyed(tmp_path: Path, vault: Vault) -> None:
    vault.ensure("t", ["p1"])
    money = vault.key("t", "p1", "money")
    vault.erase("t", "p1", ["identity", "conduct"])
    vault.erase("t", "p1", ["identity"])
    vault.ensure("t", ["p1"])
    assert [vault.key("t", "p1", kind) for kind in ("identity", "conduct", "money")] == [None, None, money]
    assert vault.ring("t", "p1").erased == {FieldClass.IDENTITY, FieldClass.CONDUCT}
    vault.close()
    again = Vault.open(tmp_path / "vault.db", FileKeys(tmp_path / "kek"))
    assert again.key("t", "p1", "identity") is None
    again.close()


def test_a_wrapped_key_opens_only_in_its_own_place(tmp_path: Path) -> None:
    keys = FileKeys(tmp_path / "kek")
    wrapped = keys.wrap("t", b"k" * 32, b"here")
    assert keys.unwrap("t", wrapped, b"here") == b"k" * 32
    changed = bytes([wrapped[0] ^ 1]) + wrapped[1:]
    assert changed != wrapped
    for tenant, data, context in (
        ("t", wrapped, b"there"),
        ("u", wrapped, b"here"),
        ("t", changed, b"here"),
        ("t", b"short", b"here"),
    ):
        with pytest.raises(Corrupted):
            keys.unwrap(tenant, data, context)


@pytest.mark.parametrize(
    ("damage", "opens"),
    [
        ("UPDATE person_key SET wrapped = 'text'", True),
        ("UPDATE person_key SET wrapped = 17", True),
        ("UPDATE tenant_key SET wrapped = NULL", False),
        ("UPDATE tenant_key SET purpose = x'00', wrapped = 'text'", False),
    ],
)
def test_a_value_of_another_kind_than_was_written_is_damage(
    tmp_path: Path, vault: Vault, damage: str, opens: bool
) -> None:
    """As SQLite tells it where a bit in the header of a record has flipped."""
    vault.ensure(TENANT, ["p1"])
    vault.close()
    connection = apsw.Connection(str(tmp_path / "vault.db"))
    for table in ("person_key", "tenant_key"):
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"CREATE TABLE {table}({', '.join(names)})")
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
    connection.execute(damage)
    connection.close()
    keys = FileKeys(tmp_path / "kek")
    if not opens:
        with pytest.raises(Corrupted, match="nobody has written"):
            Vault.open(tmp_path / "vault.db", keys)
        return
    again = Vault.open(tmp_path / "vault.db", keys)
    with pytest.raises(Corrupted, match="nobody has written"):
        again.ring(TENANT, "p1")
    again.close()


def test_the_cache_of_keys_is_bounded(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RINGS_CACHED", 5)
    persons = [f"p{number}" for number in range(20)]
    vault.ensure("t", persons)
    keys = [vault.key("t", person, "money") for person in persons]
    assert len(vault._rings) == 5
    assert [vault.key("t", person, "money") for person in persons] == keys
    assert len(set(keys)) == 20


def test_the_vaults_write_ahead_log_does_not_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rows, "WAL_PAGES", 10)
    vault = Vault.open(tmp_path / "vault.db", FileKeys(tmp_path / "kek"))
    for number in range(60):
        vault.ensure("t", [f"p{number}-{each}" for each in range(5)])
    assert (tmp_path / "vault.db-wal").stat().st_size < 40 * 8192
    vault.close()


def test_a_vault_has_one_writer(tmp_path: Path, vault: Vault) -> None:
    with pytest.raises(Unavailable):
        Vault.open(tmp_path / "vault.db", FileKeys(tmp_path / "kek"))
    vault.ensure("t", ["p1"])


def test_threads_agree_on_keys(vault: Vault) -> None:
    found: list[bytes] = []
    barrier = threading.Barrier(16)

    def client() -> None:
        barrier.wait()
        vault.ensure("t", ["p1"])
        key = vault.key("t", "p1", "money")
        assert key is not None
        found.append(key + vault.index_key("t"))

    threads = [threading.Thread(target=client) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1


def test_hidden_text_is_a_keyed_hash(vault: Vault) -> None:
    expected = hmac.digest(vault.index_key("t"), b"phone|138", hashlib.sha256).hex()
    assert vault.hidden("t", "phone", "138") == expected
    assert vault.hidden_each("t", [("phone", "138"), ("id", "9")]) == [expected, vault.hidden("t", "id", "9")]
    assert (
        vault.hidden("t", "phone", "x" * 500)
        == hmac.digest(vault.index_key("t"), b"phone|" + b"x" * 500, hashlib.sha256).hex()
    )
    assert (
        len(
            {
                vault.hidden("t", "phone", "138"),
                vault.hidden("u", "phone", "138"),
                vault.hidden("t", "id", "138"),
            }
        )
        == 3
    )


# ---- files


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    FileKeys(tmp_path / "kek")
    load_signer(tmp_path / "signing", "bank")
    for path in ("kek", "signing"):
        (tmp_path / path).chmod(mode)
    with pytest.raises(Forbidden, match="0600"):
        FileKeys(tmp_path / "kek")
    with pytest.raises(Forbidden, match=f"{mode:04o}"):
        load_signer(tmp_path / "signing", "bank")
    (tmp_path / "kek").chmod(0o400)
    FileKeys(tmp_path / "kek")


def test_a_key_file_is_made_once_and_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        FileKeys(tmp_path / "deep" / "kek", create=False)
    first = FileKeys(tmp_path / "deep" / "kek")
    assert (tmp_path / "deep" / "kek").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["kek"]
    wrapped = first.wrap("t", b"k" * 32, b"")
    assert FileKeys(tmp_path / "deep" / "kek", create=False).unwrap("t", wrapped, b"") == b"k" * 32


@pytest.mark.parametrize(
    "text", ["", "nothing", "obligor-key-encryption-key-1 00", "other " + "00" * 32, "\xff\xfe"]
)
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kek"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(Corrupted):
        FileKeys(path)


def test_the_signing_key_is_the_same_again(tmp_path: Path) -> None:
    first = load_signer(tmp_path / "signing", "bank.example", SeededEntropy())
    again = load_signer(tmp_path / "signing", "bank.example")
    assert first.vkey == again.vkey
    with pytest.raises(Corrupted):
        FileKeys(tmp_path / "signing")


def test_system_entropy_does_not_repeat() -> None:
    made = {SystemEntropy().bytes(16) for _ in range(100)}
    assert len(made) == 100
    assert {len(data) for data in made} == {16}


# ---- what is sealed


def _rows(h: House) -> list[EventRow]:
    h.do(party("p1"), fee("l1", 5), fee("l1", 5))
    return list(h.journal._store.events(TENANT, 0, 3))


def test_a_sealed_body_opens_nowhere_else(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        first, second, third = _rows(h)
        open_event(second, h.vault)
        moved = second._replace(sealed=third.sealed)
        renamed = second._replace(envelope=second.envelope.replace(b'"actor":"tester"', b'"actor":"sombody"'))
        assert renamed.envelope != second.envelope
        swapped = first._replace(sealed=_swap(first.sealed))
        assert swapped.sealed != first.sealed
        for row in (moved, renamed, swapped):
            with pytest.raises(Corrupted):
                open_event(row, h.vault)


def _swap(sealed: builtins.bytes) -> builtins.bytes:
    parts = msgspec.msgpack.decode(sealed)
    return msgspec.msgpack.encode({"identity": parts["money"], "money": parts["identity"]})


def test_every_flipped_byte_of_a_sealed_body_is_noticed(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        row = _rows(h)[0]
        for place in range(len(row.sealed)):
            changed = bytearray(row.sealed)
            changed[place] ^= 0x55
            assert changed != row.sealed
            with pytest.raises(Corrupted):
                open_event(row._replace(sealed=bytes(changed)), h.vault)


def test_no_nonce_is_used_twice(tmp_path: Path) -> None:
    with house(tmp_path, entropy=SystemEntropy()) as h:
        h.do(*(fee("l1", 1) for _ in range(200)))
        rows = h.journal._store.events(TENANT, 0, 200)
        nonces = {msgspec.msgpack.decode(row.sealed)["money"][:12] for row in rows}
    assert len(nonces) == 200


def test_a_sealed_answer_is_bound_to_its_key(tmp_path: Path) -> None:
    key = ClassKey(b"k" * 32)
    sealed = seal_answer(b"{}", key, "t", "name", fresh_nonces(SystemEntropy()))
    assert open_answer(sealed, key, "t", "name") == b"{}"
    for other in (
        lambda: open_answer(sealed, key, "t", "other"),
        lambda: open_answer(sealed, key, "u", "name"),
        lambda: open_answer(sealed, ClassKey(b"j" * 32), "t", "name"),
    ):
        with pytest.raises(Corrupted):
            other()


def test_salts_are_made_as_whoever_verifies_makes_them() -> None:
    ring = Ring({kind: ClassKey(bytes([number]) * 32) for number, kind in enumerate(SEALED)}, frozenset())
    made = commitment_keys([*SEALED, FieldClass.OPEN], ring, "event-1")
    expected = {kind.value: salts_key(ring.keys[kind].salting, "event-1") for kind in SEALED}
    assert made == {**expected, "open": salts_key(OPEN_KEY, "event-1")}
    assert len(set(made.values())) == 4
    pads = [*(ring.keys[kind].pads for kind in SEALED), OPEN_PADS]
    assert hmac_each(pads, [b"event-1"] * 4) == [*made.values()]


def test_nonces_are_never_given_twice() -> None:
    nonces = fresh_nonces(SystemEntropy())
    drawn = [next(nonces) for _ in range(1_000)]
    assert len(set(drawn)) == 1_000
    assert {len(nonce) for nonce in drawn} == {12}
