"""The image is on every machine that may need it before the first instance stops: a pull takes long, or fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.printable import last_lines
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["pull_everywhere"]

_PULL_SEC = 900.0
_DONE = "fleetcaptain: the image is here"
_SCRIPT = f'docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" 2>&1; test $? = 0 && echo "{_DONE}"'


def pull_everywhere(cluster: Cluster, image: str, machines: Iterable[str], report: Callable[[str], None]) -> None:
    """Have docker on each of *machines* (addresses) fetch *image*, side by side.

    A machine that cannot be reached is left out: its own unit pulls when it is back. Raises RolloutFailed, with what
    docker says, when one cannot get the image; nothing was touched then.
    """
    addresses = sorted(machines)
    if not addresses:
        return
    report(f"fetching the image on {len(addresses)} machines")
    with ThreadPoolExecutor(len(addresses)) as pool:
        said = dict(zip(addresses, pool.map(lambda address: _pull(cluster, address, image), addresses), strict=True))
    refused = {address: words for address, words in said.items() if words is not None and _DONE not in words}
    if refused:
        address, words = next(iter(refused.items()))
        raise RolloutFailed(
            f"Failed to pull {image} on {', '.join(refused)}. docker on {address} says:\n"
            f"  {last_lines(words) or 'nothing'}\n"
            "Nothing was touched. Push the image again, or mend the registry, and run `pulumi up` again."
        )


def _pull(cluster: Cluster, address: str, image: str) -> str | None:
    return cluster.run(address, ["sh", "-c", _SCRIPT, "pull", image], _PULL_SEC)
