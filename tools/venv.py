"""Make the virtual environment, or say plainly what the machine lacks: venv.py DIRECTORY.

An environment that stands, works and was made for this place is kept.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path


def usable(env: Path) -> bool:
    """Whether `env` runs a supported Python with pip and was made where it stands."""
    python, config = env / "bin" / "python", env / "pyvenv.cfg"
    if not (python.exists() and config.exists()):
        return False
    command = next((line for line in config.read_text().splitlines() if line.startswith("command")), "")
    if os.path.realpath(command.rpartition(" ")[2]) != os.path.realpath(env):
        return False
    probe = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))"
    return subprocess.run([str(python), "-c", probe], capture_output=True, check=False).returncode == 0


def main(directory: str) -> int:
    env = Path(directory)
    if usable(env):
        return 0
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"{sys.executable} (Python {version}) lacks {' and '.join(missing)}, which make the environment."
        )
        print(f"On Debian and Ubuntu: apt-get install python3-venv (or python{version}-venv)")
        return 1
    print(
        f"Making {env} with Python {version}; the first set-up downloads a few hundred megabytes.", flush=True
    )
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(env)], check=False)
    if made.returncode:
        print(f"{sys.executable} -m venv failed; its message is above.")
    return made.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
