"""The toolchain: finds the programs FleetCaptain stands on, and installs or builds those that are not there.

It runs before the virtual environment exists, so it imports nothing but the standard library. What it makes lies in
``.tools/`` of the project. Deciding (`tools.install_plan`,
`tools.fingerprint`, `tools.shell_environment`) is pure; the rest does.
"""

__all__: list[str] = []
