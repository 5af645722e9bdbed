"""The pinned versions of the toolchain, and the build of each tool. Change versions only here.

A tool's dependencies are pinned by ``go.mod`` and ``go.sum`` of its folder in ``tools/go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "BASE_IMAGE",
    "BASE_SUITE",
    "BUILDX",
    "BY_HAND",
    "DOCKER_BUILD",
    "ENGINE_AT_LEAST",
    "FLEETCTL",
    "GO_AUDITOR",
    "GO_TOOLCHAIN",
    "GO_TOOLS",
    "IGNITION_VALIDATE",
    "LOCKER",
    "MACHINE_TOOLS",
    "PULUMI",
    "PULUMI_AT_LEAST",
    "PULUMI_SCRIPTS",
    "PULUMI_SET",
    "PYTHON_AUDITOR",
    "SCRIPTS",
    "SOURCE_ONLY",
    "TEST_PROGRAMS",
    "GoTool",
    "Scripts",
]


@dataclass(frozen=True)
class GoTool:
    """A program built with ``go build`` in the folder *module* of ``tools/go``.

    *stamp*: the variable with the version, and its value; without it `pulumi version` prints nothing.
    """

    name: str
    version: str
    module: str
    package: str
    stamp: tuple[str, str] | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scripts:
    """Scripts in a Go module's zip: *module* is the folder of ``tools/go`` that pins it, *source* the module,
    *paths* the scripts in it."""

    name: str
    version: str
    module: str
    source: str
    paths: tuple[str, ...]


_PULUMI_VERSION = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"

PULUMI = GoTool(
    name="pulumi",
    version="3.259.0",
    module="pulumi",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    stamp=(_PULUMI_VERSION, "v3.259.0"),
    # The second one omits a part of the client for gs:// backends that only Google's own network uses.
    tags=("osusergo", "disable_grpc_modules"),
)
# The present host's module has no tags, so no version of it can be downloaded. 3.78.0 is the last release of the SDK's
# module that contains the host, and it works with the present CLI and SDK. It ignores `virtualenv` of Pulumi.yaml:
# hence our PATH.
PYTHON_HOST = GoTool(
    name="pulumi-language-python",
    version="3.78.0",
    module="language-python",
    package="github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
    stamp=(_PULUMI_VERSION, "v3.78.0"),
)
SCRIPTS = Scripts(
    name="pulumi-python-scripts",
    version="3.259.0",
    module="pulumi",
    source="github.com/pulumi/pulumi/sdk/v3",
    paths=("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"),
)
PULUMI_SCRIPTS = tuple(path.rpartition("/")[2] for path in SCRIPTS.paths)
DOCKER_BUILD = GoTool(
    name="pulumi-resource-docker-build",
    version="0.0.22",  # that of pulumi-docker-build in tools/python/main.lock
    module="docker-build",
    package="github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build",
    stamp=("github.com/pulumi/pulumi-docker-build/provider.Version", "0.0.22"),
)
BUILDX = GoTool(
    name="docker-buildx",
    version="0.35.0",
    module="docker-build",  # the plugin contains it, so it builds in seconds after the plugin
    package="github.com/docker/buildx/cmd/buildx",
    stamp=("github.com/docker/buildx/version.Version", "v0.35.0"),
)
_FLEET_VERSION = ("github.com/coreos/fleet/version.Version", "1.0.0")
FLEETD = GoTool("fleetd", "1.0.0", "fleet", "github.com/coreos/fleet", _FLEET_VERSION)
FLEETCTL = GoTool("fleetctl", "1.0.0", "fleet", "github.com/coreos/fleet/fleetctl", _FLEET_VERSION)
# fleet uses only etcd's v2 API, and 3.5 is the last series with it.
ETCD = GoTool("etcd", "3.5.33", "etcd", "go.etcd.io/etcd/server/v3")
GO_TOOLCHAIN = "go1.26.8"
"""The Go of what machines run, so that each computer builds the same bytes: Go downloads it if another one is
installed. A cluster on AWS takes no others (`components/aws/machine_programs.py`)."""

IGNITION_VALIDATE = GoTool(
    name="ignition-validate",
    version="2.24.0",
    module="ignition-validate",
    package="github.com/coreos/ignition/v2/validate",
    stamp=("github.com/coreos/ignition/v2/internal/version.Raw", "v2.24.0"),
)

PULUMI_SET = (PULUMI, PYTHON_HOST)
"""With `SCRIPTS`, the programs that must be in one folder."""

MACHINE_TOOLS = (ETCD, FLEETD)
"""Always built: no distribution ships these versions, and the machines run these files."""

GO_TOOLS = (*PULUMI_SET, DOCKER_BUILD, BUILDX, *MACHINE_TOOLS, FLEETCTL, IGNITION_VALIDATE)

PULUMI_AT_LEAST = (3, 258, 0)  # as `requiredPulumiVersion` of Pulumi.yaml
ENGINE_AT_LEAST = (20, 10, 0)  # the first that runs systemd on a cgroup v2 host

BASE_SUITE = "trixie"
BASE_IMAGE = f"debian:{BASE_SUITE}"

LOCKER = "uv==0.13.9"
"""The resolver of `make lock`; nothing else runs it."""

PYTHON_AUDITOR, GO_AUDITOR = "pip-audit==2.10.1", "golang.org/x/vuln/cmd/govulncheck@v1.1.4"
"""The auditors of `make audit`; nothing else runs them."""

SOURCE_ONLY: Mapping[str, str] = {
    "python-etcd==0.4.5": "f1b5ebb825a3e8190494f5ce1509fde9069f2754838ed90402a8c11e1f52b8cb",
}
"""Version of a package that is published without a wheel -> the SHA-256 of the source from which `make lock` builds
its wheel. The wheel is in ``tools/python``, so no install runs the package's own ``setup.py``."""

TEST_PROGRAMS = ("chromium", "curl", "jq", "openssl")
"""Programs that the machines' scripts run, and so their tests; and the browser that looks at the pages that `captain`
writes. Each is in the Debian package of its name."""

BY_HAND: Mapping[str, str] = {
    "go": "install Go 1.26 or newer from https://go.dev/dl/ and put its bin folder on PATH",
    "pulumi": "install Pulumi with its Python host: https://www.pulumi.com/docs/iac/download-install/",
    "pulumi-language-python": "it comes with Pulumi: https://www.pulumi.com/docs/iac/download-install/",
    "pulumi-python-scripts": "they come with Pulumi: https://www.pulumi.com/docs/iac/download-install/",
    "pulumi-resource-docker-build": f"run `pulumi plugin install resource docker-build {DOCKER_BUILD.version}`",
    "docker-buildx": "install Docker's buildx plugin: https://github.com/docker/buildx#installing",
    "docker": "install Docker Engine and its CLI: https://docs.docker.com/engine/install/",
    "debian packages": "as root: apt-get update && apt-get install docker.io openssh-client python3-venv",
    "ssh": "install OpenSSH's client (`openssh-client` on Debian)",
    "python3-venv": "install Python's venv module (`python3-venv` on Debian)",
    **{name: f"install {name} (`{name}` on Debian)" for name in TEST_PROGRAMS},
    BASE_IMAGE: f"load it into the engine from a machine that has it: docker save {BASE_IMAGE} | ssh … docker load",
}
"""Tool -> how to install it by hand."""
