# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts pip into an empty virtual environment of ansible-test, from the wheel that Python itself carries.

ansible-test would download a script for this from a place that is no package index; that is the only thing it
fetches from there.
"""

from __future__ import annotations

import ensurepip
import subprocess
import sys

# what the downloaded script understands and pip does not
OWN_OPTIONS = {"--no-setuptools", "--no-wheel"}


def main() -> int:
    packages = [argument for argument in sys.argv[1:] if argument not in OWN_OPTIONS]
    ensurepip.bootstrap(default_pip=True)
    return subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *packages])


if __name__ == "__main__":
    sys.exit(main())
