# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds one parser with what Atheris thinks of, beginning from the vectors.

    fuzz.py TARGET SECONDS

The corpus grows in build/fuzz/TARGET/corpus; what broke a parser is written to build/fuzz/TARGET, where the same call
with that file instead of the seconds shows it again.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "build/src"), str(Path(__file__).parent)]
with atheris.instrument_imports(include=["bocage_core", "targets"]):
    import targets

MEGABYTES = 1024
SECONDS_FOR_ONE = 10


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] not in targets.TARGETS:
        print(f"fuzz.py: name a target and seconds; the targets are {', '.join(targets.TARGETS)}", file=sys.stderr)
        return 2
    name, what = sys.argv[1:]
    if not what.isdecimal():
        targets.judge(name, Path(what).read_bytes())
        print(f"fuzz.py: {what} is judged without a fault")
        return 0
    folder = ROOT / "build/fuzz" / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for seed in targets.TARGETS[name].seeds():
        (folder / "corpus" / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed)
    options = [
        f"-max_total_time={what}",
        f"-max_len={targets.TARGETS[name].max_bytes}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-timeout={SECONDS_FOR_ONE}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
        "-verbosity=1",
        "-close_fd_mask=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], lambda data: targets.judge(name, data))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
