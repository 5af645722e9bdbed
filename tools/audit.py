"""Checks installed packages: licences, and known vulnerabilities if their database is reachable.

Failed checks are reported as not checked, and are not findings: a missing network does not count as "none found".
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

from tools.pins import GO_AUDITOR, GO_TOOLS, PYTHON_AUDITOR
from tools.profile import Profile
from tools.project_layout import Layout
from tools.requirements import lock_files
from tools.shell import run
from tools.tool_failure import ToolFailed

__all__ = ["ALLOWED", "Result", "audit", "python_result", "refused_licence"]

ALLOWED = frozenset(
    {
        *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"),
        # The same licences in packages from before SPDX's names.
        *("3-Clause BSD License", "Apache 2.0", "Apache License 2.0", "Apache Software License", "BSD", "BSD License"),
        *("ISC License", "ISC License (ISCL)", "MIT License", "MIT license", "Mozilla Public License 2.0 (MPL 2.0)"),
    }
)
"""The licences that a dependency may have. MPL-2.0 applies only to changes of its own files."""

_OWN = "fleetcaptain"
_AUDIT_SEC = 600.0
_GO_FOUND = 3  # the exit status of govulncheck when it found something


@dataclass(frozen=True)
class Result:
    """The findings of a check, and what it could not check: one line each."""

    found: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def audit(layout: Layout, say: Callable[[str], None]) -> bool:
    """Run each check and report its result. Returns whether there were no findings."""
    checks: Mapping[str, Callable[[Layout], Result]] = {
        "Python packages with a licence that is not allowed": _licences,
        "Python packages with known vulnerabilities": _python,
        "Go programs with known vulnerabilities": _go,
    }
    clean = True
    for name, check in checks.items():
        try:
            result = check(layout)
        except ToolFailed as error:
            result = Result(unchecked=(str(error),))
        clean = clean and not result.found
        none = "not checked" if result.unchecked else "none"
        say("\n  ".join([f"{name}: {len(result.found) or none}", *result.found]))
        if result.unchecked:
            say("\n  ".join(["  NOT CHECKED:", *result.unchecked]))
    return clean


def refused_licence(package: Distribution) -> str:
    """The licence of *package* when it is not in `ALLOWED`, else an empty text."""
    fields = package.metadata
    stated = str((fields.get_all("License-Expression") or fields.get_all("License") or ["no licence"])[0])
    plain = stated if stated in ALLOWED else stated.replace("(", "").replace(")", "")
    if any(all(name in ALLOWED for name in choice.split(" AND ")) for choice in plain.split(" OR ")):
        return ""
    classifiers = [str(one).split(" :: ") for one in fields.get_all("Classifier") or ()]
    names = [parts[-1] for parts in classifiers if parts[0] == "License" and parts[-1] != "DFSG approved"]
    return "" if names and ALLOWED.issuperset(names) else " and ".join(names) or stated.splitlines()[0]


def python_result(report: str, errors: str) -> Result:
    """The findings in pip-audit's JSON *report*; *errors* is its output if there is none. pip-audit skips packages
    that are not in its database and counts them as good: here they are not checked."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Result(unchecked=(f"pip-audit failed: {errors.strip()[-300:]}",))
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {' or '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    skipped = [package for package in packages if "skip_reason" in package]
    unchecked = [f"{len(skipped)} of {len(packages)} packages, such as: {skipped[0]['skip_reason']}"] if skipped else []
    return Result(tuple(found), tuple(unchecked))


def _licences(layout: Layout) -> Result:
    folders = [str(folder) for folder in layout.venv.glob("lib/python*/site-packages")]
    packages = {
        package.name: refused_licence(package) for package in distributions(path=folders) if package.name != _OWN
    }
    if not packages:
        return Result(unchecked=(f"{layout.venv} has no packages",))
    return Result(tuple(f"{name}: {licence}" for name, licence in sorted(packages.items()) if licence))


def _python(layout: Layout) -> Result:
    folder, log = layout.home / "audit", layout.log("audit")
    log.unlink(missing_ok=True)
    python = str(folder / "bin" / "python")
    run([sys.executable, "-m", "venv", str(folder)], log)
    run([python, "-m", "pip", "install", "--disable-pip-version-check", PYTHON_AUDITOR], log)
    locks = [word for lock in lock_files(layout, Profile.TESTS) for word in ("-r", str(lock))]
    options = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")
    done = _output([python, "-m", "pip_audit", *options, *locks])
    return python_result(done.stdout, done.stderr)


def _go(layout: Layout) -> Result:
    folder, log = layout.home / "audit", layout.log("audit-go")
    log.unlink(missing_ok=True)
    # Built outside of the project's modules.
    run(["go", "install", GO_AUDITOR], log, cwd=layout.home, env={"GOBIN": str(folder / "bin"), "GOWORK": "off"})
    found, unchecked = [], []
    for tool in GO_TOOLS:
        program = layout.installed(tool.name)
        if not program.exists():
            unchecked.append(f"{tool.name}: not built here")
            continue
        done = _output([str(folder / "bin" / "govulncheck"), "-mode", "binary", str(program)])
        if done.returncode == _GO_FOUND:
            flaws = [row.strip() for row in done.stdout.splitlines() if row.startswith("Vulnerability #")]
            found.append(f"{tool.name} {tool.version}: {'; '.join(flaws) or done.stdout.strip()}")
        elif done.returncode != 0:
            unchecked.append(f"{tool.name}: {done.stderr.strip()[-300:]}")
    return Result(tuple(found), tuple(unchecked))


def _output(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, errors="backslashreplace", timeout=_AUDIT_SEC, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolFailed(f"{argv[0]} failed: {error}") from error
