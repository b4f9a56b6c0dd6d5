# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own import of collections, installed before any test imports a part of one."""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

# A collection that was imported in the ordinary way is not known to Ansible as one, and its plugins are not found.
init_plugin_loader([str(Path(__file__).resolve().parents[1] / "collections")])
