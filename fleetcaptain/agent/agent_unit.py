"""The unit of the machine agent: it fetches the program, verifies it, and runs it on every machine."""

from __future__ import annotations

from fleetcaptain.agent.program import program_hash
from fleetcaptain.discovery.keys import agent_key
from fleetcaptain.units.agent_calls import agent_folder, agent_name
from fleetcaptain.units.mark import SECTION, Mark, mark_options
from fleetcaptain.units.quoting import shell_line
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option

__all__ = ["agent_unit"]


def agent_unit(app: str, stack: str, health_port: int | None = None) -> UnitFile:
    """The file of the agent of *app*. It names the program, so that another version restarts the agent and no other
    unit. *health_port*: where a load balancer asks for the app's proxy."""
    health = [] if health_port is None else [Option("Service", "Environment", f"HEALTH_PORT={health_port}")]
    service = agent_name(app).removesuffix(".service")
    program = program_hash()
    return UnitFile(
        (
            Option("Unit", "Description", f"Machine agent of {app}"),
            # It must come back before others take this machine for dead, however often it ends.
            Option("Unit", "StartLimitIntervalSec", "0"),
            Option("Service", "EnvironmentFile", "-/etc/environment"),
            *health,
            Option("Service", "SyslogIdentifier", "fleetcaptain-agent"),
            Option("Service", "Restart", "always"),
            Option("Service", "RestartSec", "1"),
            Option("Service", "ExecStartPre", _install_line(app, program)),
            Option("Service", "ExecStart", f"/bin/sh {agent_folder(app)}/agent run"),
            Option("X-Fleet", "Global", "true"),
            *mark_options(Mark(app, stack, service)),
            Option(SECTION, "Program", program),
        )
    )


def _install_line(app: str, program: str) -> str:
    """Install the program from etcd, else from the copy that an earlier boot kept, if it has the hash. Else the old one
    goes on; after a boot, which empties /run, that is the copy, of whichever version. What etcd has is never installed
    without the hash."""
    return shell_line(
        [
            f"program={program}; run={agent_folder(app)}; kept=/var/lib/fleetcaptain/{app};",
            'good() { test -f "$1" && test "$(sha256sum <"$1")" = "$program  -"; };',
            "mkdir -p $run $kept; cd $run || exit;",
            "good agent && exit;",
            f'answer=$(curl -sS -m 5 --noproxy "*" http://127.0.0.1:2379/v2/keys{agent_key(app, program)});',
            'answer=${answer#*\\"value\\":\\"};',
            'printf %s "${answer%%\\"*}" | base64 -d >.agent;',
            "good .agent || cp $kept/agent .agent;",
            "good .agent || {",
            '  echo "the program $program is not in etcd, or was changed there";',
            "  test -f agent || cp $kept/agent agent; exit; };",
            "mv .agent agent && cp agent $kept/.agent && mv $kept/.agent $kept/agent",
        ]
    )
