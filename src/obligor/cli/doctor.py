"""`obligor doctor`: the settings in force, and whether a data directory is sound."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from cyclopts import Parameter

from obligor.app.backup import API_KEYS, LAST, Told
from obligor.app.control import ask
from obligor.app.opened import Opened
from obligor.app.places import journal_of, key_file, signing_file
from obligor.app.registry import build
from obligor.app.settings import Settings, load, shown
from obligor.cli.common import app, run, show
from obligor.journal import Source, decode_envelope, projection_digest, tree_at
from obligor.kernel import ObligorError, Refusal
from obligor.proof import Checkpoint, Verifier, open_note

__all__ = ["main"]

cli = app("doctor", __doc__)
BACKUP_AGE_MOST = timedelta(days=7)
CLOCK_BACK_MOST = timedelta(seconds=5)


class Check(NamedTuple):
    """One thing that was looked at; `do` says what helps where it is not well."""

    name: str
    ok: bool
    detail: str
    do: str = ""


@cli.default
def doctor(
    directory: Annotated[Path, Parameter(help="The data directory.")] = Path("var"),
    *,
    store: Annotated[str | None, Parameter(help="The database, if the settings do not name it.")] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Print every setting and check files, keys, store, log, vault and backups; 1 when something is wrong."""
    settings = load(directory, store=store)
    checks = list(_checks(directory, settings))
    in_force: dict[str, Any] = shown(settings)
    told = {"settings": in_force, "checks": [check._asdict() for check in checks]}
    lines = [f"{name} = {value}" for name, value in in_force.items()]
    lines += ["", *map(_line, checks)]
    show(told, as_json, lambda: "\n".join(lines))
    return 0 if all(check.ok for check in checks) else 1


def _line(check: Check) -> str:
    help_ = f" → {check.do}" if not check.ok and check.do else ""
    return f"{'✓' if check.ok else '✗'} {check.name}: {check.detail}{help_}"


def _checks(directory: Path, settings: Settings) -> Iterator[Check]:
    if not directory.is_dir():
        yield Check("directory", True, f"{directory} does not exist yet; `obligor up` makes it")
        return
    yield _disk(directory, settings.disk_free_least_mib)
    for path in (key_file(directory), signing_file(directory), directory / API_KEYS):
        if path.exists():
            yield _mode(path.relative_to(directory).as_posix(), path)
    served = _server(directory)
    try:
        opened = Opened.at(directory, settings)
    except ObligorError as error:
        yield Check("journal", False, str(error), _remedy(settings))
    else:
        with closing(opened):
            yield from _opened(opened, served.detail.startswith("running"))
    yield _backup(directory)
    yield served


def _remedy(settings: Settings) -> str:
    if settings.store:
        return (
            "see that the database can be reached; a server of this release brings an older format to its own"
        )
    return "start it with `obligor up`, which brings an older format to its own, or restore a backup"


def _opened(opened: Opened, served: bool) -> Iterator[Check]:
    """What can be said of a journal that can be read. One thing that fails hides none of the others."""
    looks: list[tuple[str, Callable[[], Check], str]] = [
        ("journal", lambda: _journal(opened), "run `obligor audit`"),
        ("store", lambda: _store(opened), "restore the last backup into an empty place, and verify it"),
        ("log", lambda: _log(opened), "run `obligor audit`: it names the first entry that fails"),
        ("projections", lambda: _projections(opened, served), "start the server, or run `obligor rebuild`"),
        ("vault", lambda: _vault(opened), "put the right vault and keys/kek in place, or restore them"),
        ("erasures", lambda: _erasures(opened, served), "start the server: it finishes them first of all"),
        ("clock", lambda: _clock(opened), "set the machine's clock"),
    ]
    if opened.settings.store:
        looks.append(("lease", lambda: _lease(opened), "see that the database can be reached"))
    for name, look, remedy in looks:
        try:
            check = look()
        except ObligorError as error:
            check = Check(name, False, str(error))
        yield check if check.ok or check.do else check._replace(do=remedy)


# ---- files


def _disk(directory: Path, least_mib: int) -> Check:
    free = shutil.disk_usage(directory).free // 2**20
    detail = f"{free:,} MiB free, {least_mib:,} needed"
    return Check("disk", free >= least_mib, detail, "make room: below that the server takes nothing more")


def _mode(name: str, path: Path) -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check(name, False, f"mode {mode:04o}: make it 0600", f"chmod 600 {path}")
    return Check(name, True, f"mode {mode:04o}, its owner's alone")


def _backup(directory: Path) -> Check:
    try:
        last = msgspec.json.decode((directory / LAST).read_bytes(), type=Told)
    except (OSError, msgspec.MsgspecError):
        return Check("backup", True, "none was taken from here yet: `obligor backup DESTINATION` takes one")
    age = datetime.now(UTC) - last.at
    detail = f"{_span(age)} ago, {last.entries:,} entries, in {last.destination}"
    return Check("backup", age <= BACKUP_AGE_MOST, detail, f"run `obligor backup {last.destination}`")


def _server(directory: Path) -> Check:
    try:
        return Check("server", True, f"running, with {len(ask(directory, 'keys.list'))} API keys")
    except Refusal:
        return Check("server", True, "none is running on this directory")


# ---- the journal


def _journal(opened: Opened) -> Check:
    size = opened.reader.size(opened.tenant)
    count = opened.reader.query("SELECT COUNT(*) AS n FROM checkpoint WHERE tenant = ?", (opened.tenant,))
    return Check("journal", True, f"{size:,} entries, {count[0]['n']:,} checkpoints")


def _store(opened: Opened) -> Check:
    query = opened.reader.query
    version = int(query("SELECT version_num FROM alembic_version")[0]["version_num"])
    if opened.settings.store:
        (found,) = query(
            "SELECT current_setting('server_version') AS release, checksum_failures AS failures,"
            " current_setting('data_checksums') AS sums FROM pg_stat_database"
            " WHERE datname = current_database()"
        )
        bad = found["failures"] or 0
        sums = f"{bad} pages failed their checksum" if found["sums"] == "on" else "pages have no checksums"
        return Check("store", not bad, f"PostgreSQL {found['release']}, format {version}, {sums}")
    answer = str(next(iter(query("PRAGMA quick_check(1)")[0].values())))
    return Check("store", answer == "ok", f"SQLite, format {version}, quick check: {answer}")


def _log(opened: Opened) -> Check:
    """The tree from its stored hashes against the head and the last signed checkpoint."""
    tenant = opened.tenant
    with closing(journal_of(opened.directory, opened.settings).rows()) as rows:
        head = next((head for head in Source(rows).heads() if head.tenant == tenant), None)
        if head is None:
            return Check("log", True, "empty")
        if tree_at(rows, tenant, head.size).root() != head.root:
            return Check("log", False, "the stored hashes do not add up to the head")
        notes = opened.reader.checkpoints(tenant, last=1)
        if not notes or not signing_file(opened.directory).is_file():
            return Check("log", True, f"adds up to {head.root.hex()[:16]}…; no checkpoint was compared")
        signed = Checkpoint.parse(open_note(notes[0], [Verifier(opened.vkey())]).text)
        if signed.size > head.size or tree_at(rows, tenant, signed.size).root() != signed.root:
            return Check("log", False, f"its first {signed.size:,} entries are not those that were signed")
    return Check("log", True, f"adds up to {head.root.hex()[:16]}…, signed up to entry {signed.size:,}")


def _projections(opened: Opened, served: bool) -> Check:
    known = {row["name"]: row["digest"] for row in opened.reader.query("SELECT name, digest FROM projection")}
    wanted = {each.name: projection_digest(each) for each in build(opened.means()).projections}
    stale = sorted(name for name in known | wanted if known.get(name) != wanted.get(name))
    if not stale:
        return Check("projections", True, f"{len(known)}, all of this release")
    detail = f"{', '.join(stale)} are of another release"
    return Check("projections", False, detail, "start the new release's server" if served else "")


def _erasures(opened: Opened, served: bool) -> Check:
    (row,) = opened.reader.query("SELECT COUNT(*) AS n FROM erasure")
    waiting = f"{row['n']} wait to be finished" if row["n"] else "none waits to be finished"
    return Check("erasures", not row["n"] or served, waiting)


def _vault(opened: Opened) -> Check:
    size = opened.reader.size(opened.tenant)
    if opened.vault is None:
        detail = "there is none here, or no key that opens it: bodies of events stay shut"
        return Check("vault", size == 0, detail)
    if size == 0:
        return Check("vault", True, "there; nothing is sealed yet")
    for place in {0, size // 2, size - 1}:
        opened.reader.at(opened.tenant, place)
    return Check("vault", True, "there; its keys open the first entry, the last and one between")


def _clock(opened: Opened) -> Check:
    size = opened.reader.size(opened.tenant)
    now = datetime.now(UTC)
    if size == 0:
        return Check("clock", True, f"{now:%Y-%m-%d %H:%M:%S} UTC")
    last = decode_envelope(opened.reader.entry(opened.tenant, size - 1).envelope).recorded_at
    if last > now + CLOCK_BACK_MOST:
        return Check("clock", False, f"it is {_span(last - now)} behind the last entry")
    return Check("clock", True, f"{now:%Y-%m-%d %H:%M:%S} UTC, {_span(now - last)} after the last entry")


def _lease(opened: Opened) -> Check:
    rows = opened.reader.query(
        "SELECT holder, ROUND(EXTRACT(epoch FROM ends_at - clock_timestamp())) AS seconds FROM lease"
        " WHERE tenant = ?",
        (opened.tenant,),
    )
    if not rows or rows[0]["seconds"] <= 0:
        return Check("lease", True, "no server writes now")
    return Check("lease", True, f"the server {rows[0]['holder']} writes, for {rows[0]['seconds']} s at least")


def _span(time: timedelta) -> str:
    """A length of time in its largest unit."""
    seconds = max(0, int(time.total_seconds()))
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:,} {unit}"
    return f"{seconds} seconds"


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
