"""The house rules that a linter does not know."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src" / "obligor"
FILES = sorted(SRC.rglob("*.py"))
ROOMS = sorted(path for path in SRC.glob("*/__init__.py"))
MOST_LINES = 400

# Files that may be longer, each with the reason why one idea needs the room. Paths below src/obligor.
LONG: dict[str, str] = {}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """Public names that statements bind, leaving out what they import from outside obligor."""
    for node in body:
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            if node.level or (node.module or "").partition(".")[0] == "obligor":
                names = [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        yield from (name for name in names if not name.startswith("_"))


def _declared(tree: ast.Module) -> list[str] | None:
    """The value of `__all__`, or None where it is not a plain list of strings."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            try:
                return list(ast.literal_eval(node.value))
            except ValueError:
                return None
    return None


def _imported(path: Path) -> Iterator[str]:
    """Modules that a file imports by their full names, wherever it does."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.parent.name)
def test_a_rooms_all_is_its_public_face(room: Path) -> None:
    tree = _tree(room)
    declared = _declared(tree)
    assert declared is not None, f"{room.parent.name}/__init__.py needs an __all__, a plain list of names"
    assert len(declared) == len(set(declared)), "a name is listed twice"
    # A name under `if TYPE_CHECKING` may be public (loaded on first use) or only an annotation.
    bound = set(_bound(tree.body))
    perhaps = {name for node in tree.body if isinstance(node, ast.If) for name in _bound(node.body)}
    assert bound <= set(declared) <= bound | perhaps


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_a_file_is_one_idea(path: Path) -> None:
    name = path.relative_to(SRC).as_posix()
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if name in LONG:
        assert lines > MOST_LINES, f"{name} is short again: take it off the list"
    else:
        assert lines <= MOST_LINES, f"{name} has {lines} lines: split it, or list it with a reason"


def test_the_list_of_long_files_names_files_that_exist() -> None:
    assert [name for name in LONG if not (SRC / name).is_file()] == []


def test_nothing_imports_a_second_sqlite() -> None:
    second = {"sqlite3", "_sqlite3"}
    assert [path for path in FILES if second & {name.partition(".")[0] for name in _imported(path)}] == []


def test_kernel_and_events_need_only_the_standard_library_and_msgspec() -> None:
    allowed = {*sys.stdlib_module_names, "msgspec", "obligor"}
    ground = [
        path for path in FILES if path.relative_to(SRC).parts[0].removesuffix(".py") in {"kernel", "events"}
    ]
    guilty = {
        (path.relative_to(SRC).as_posix(), name)
        for path in ground
        for name in _imported(path)
        if name.partition(".")[0] not in allowed
    }
    assert guilty == set()
