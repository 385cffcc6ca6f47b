"""Check what the repository says about itself.

Every relative link in a Markdown file leads to a file, and to a heading where it names one; and no file
names a package registry or a directory of the machine it was written on.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(
    r"!?\[[^\]\[]*(?:\[[^\]]*\][^\]\[]*)*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE
)
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
ANCHOR = re.compile(r"<[^>]*\b(?:id|name)=\"([^\"]+)\"")
BUILT = {".git", ".venv", "node_modules", "__pycache__", "var", "build", "dist", "vendor"}
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com")
HERE = re.compile(
    "|".join(
        rf"(?<![\w.]){re.escape(str(path))}(?![\w.-])" for path in (ROOT, ROOT.parent / "shared", Path.home())
    )
)


def files() -> list[Path]:
    """Every file that is committed or would be; in a copy without git, every file outside what is built."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        every = (path for path in ROOT.rglob("*") if not BUILT.intersection(path.relative_to(ROOT).parts))
        return sorted(path for path in every if path.is_file())
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return [path for path in paths if path.is_file()]


@cache
def anchors(page: Path) -> frozenset[str]:
    """The names a link may follow `#` with, as GitHub makes them from headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = set(ANCHOR.findall(text))
    seen: dict[str, int] = {}
    for heading in HEADING.findall(text):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return frozenset(found)


def broken_links(page: Path) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    for inline, reference in LINK.findall(text):
        target = inline or reference
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / name.lstrip("/") if name.startswith("/") else page.parent / name) if name else page
        if not path.exists():
            yield f"{page.relative_to(ROOT)}: {target} leads nowhere"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            yield f"{page.relative_to(ROOT)}: {target} names no heading of that file"


def private_names(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, what in ((REGISTRY, "a package registry"), (HERE, "a directory of this machine")):
            if found := pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: names {what}: {found[0]}"


def main() -> int:
    listed = files()
    problems = [problem for path in listed for problem in private_names(path)]
    problems += [problem for path in listed if path.suffix == ".md" for problem in broken_links(path)]
    for problem in problems:
        print(problem)
    print(f"{len(listed)} files checked, {len(problems)} problems.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
