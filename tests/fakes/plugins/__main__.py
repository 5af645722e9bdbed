"""``python3 -m tests.fakes.plugins NAME ENGINE``: the stand-in for the plugin NAME, started by Pulumi."""

from __future__ import annotations

import importlib
import sys

from tests.fakes.plugins.plugin_server import serve

serve(importlib.import_module(f"tests.fakes.plugins.{sys.argv[1].replace('-', '_')}").PLUGIN)
