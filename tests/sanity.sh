#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the collection and runs ansible-test's sanity tests on what was built.
#   tests/sanity.sh [TEST ...]      only these tests (ansible-test sanity --list-tests)
# The tools are found by PATH; ansible-test keeps its virtual environments in .cache/sanity.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/.cache/sanity
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "sanity: building the collection"
(cd "$root" && ansible-galaxy collection build --force --output-path "$work" >/dev/null)

# ansible-test wants a folder of that name that is no link, and lists files by git.
target=$work/ansible_collections/bocage/fleet
mkdir -p "$target"
tar -xzf "$work"/bocage-fleet-*.tar.gz -C "$target"
mkdir -p "$target/tests/sanity"
cp "$root"/tests/sanity/ignore-*.txt "$target/tests/sanity/"
cp "$root/tests/config.yml" "$target/tests/"
git -C "$target" init --quiet
git -C "$target" add --all

# ansible-test keeps everything in the home folder and passes on no other setting; this one is the project's.
home=$cache/home
pip_version=$(python3 - <<'PYTHON'
import importlib.util, pathlib, re
package = pathlib.Path(importlib.util.find_spec("ansible_test").origin or "").parent
text = (package / "_internal" / "python_requirements.py").read_text()
print(re.search(r"pip='([0-9.]+)'", text)[1].replace(".", "_"))
PYTHON
)
mkdir -p "$home/.ansible/test/cache" "$home/.config"
cp "$root/tests/sanity/get_pip.py" "$home/.ansible/test/cache/get_pip_$pip_version.py"
if [ -d "$HOME/.config/pip" ]; then ln -sfn "$HOME/.config/pip" "$home/.config/pip"; fi

cd "$target"
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
echo "sanity: testing with Python $version"
HOME=$home ansible-test sanity --local --python "$version" --color no "$@"
