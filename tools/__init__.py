"""The toolchain: finds the programs that FleetCaptain requires, and installs or builds the missing ones.

It runs before the virtual environment exists, so it imports nothing but the standard library. It writes to ``.tools/``
of the project. Deciding (`tools.install_plan`,
`tools.fingerprint`, `tools.shell_environment`) is pure; the rest does.
"""

__all__: list[str] = []
