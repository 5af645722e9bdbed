"""A registration that the app itself renews, until it closes it or ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.discovery.keys import TTL_SEC
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.discovery.log import log
from fleetcaptain.discovery.renewal import Step, next_step
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.untrusted import readable

__all__ = ["Lease"]

_PERIOD_SEC = TTL_SEC / 3
_AGAIN_SEC = 5.0


class Lease:
    """Keeps *value* alive at *key* from a thread of its own; a context manager that closes it.

    *close* is what takes the registration back; *shared* as for `next_step`. A lease does not survive a fork: the
    process that registered renews.
    """

    def __init__(
        self,
        api: KeysApi,
        key: str,
        value: str,
        *,
        machine: str,
        shared: bool,
        withdraw: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._key = key
        self._value = value
        self._machine = machine
        self._shared = shared
        self._withdraw = withdraw
        self._clock = clock
        self._renewed_at = clock()
        self._taken = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"renews {key}", daemon=True)

    def start(self) -> None:
        """Register now, and renew from now on. Raises ClusterUnreachable; nothing is renewed then."""
        self._renewed_at = self._clock()
        self._api.put(self._key, self._value, TTL_SEC)
        self._thread.start()

    @property
    def held(self) -> bool:
        """Whether the registration stands as far as is known, and is renewed."""
        return not self._ended.is_set() and not self._taken

    def stop(self) -> None:
        """Renew no longer, and return when the thread has ended. The registration is left to run out."""
        self._ended.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def close(self) -> None:
        """Stop, and take the registration back. A second time nothing happens. Raises ClusterUnreachable."""
        if self._ended.is_set():
            return
        self.stop()
        self._withdraw()

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        pause = _PERIOD_SEC
        while not self._ended.wait(pause):
            try:
                self.renew()
                pause = _PERIOD_SEC
            except ClusterUnreachable as error:
                log.warning("the registration at %s is not renewed: %s", self._key, error)
                pause = _AGAIN_SEC

    def renew(self) -> None:
        """Renew once, or find out why that cannot be and do what `next_step` says. Raises ClusterUnreachable."""
        now = self._clock()
        if self._api.refresh(self._key, self._value, TTL_SEC).done:
            self._now_held(now)
            return
        answer = self._api.get(self._key)
        text = str(answer.node.get("value", ""))
        found = readable(Registration.from_json, text)
        if found is None and not answer.gone:
            self._now_taken("by a value that is no registration")
            return
        lapsed = now - self._renewed_at >= TTL_SEC and not self._taken
        step = next_step(found, self._machine, shared=self._shared, lapsed=lapsed)
        if step is Step.WAIT:
            self._now_taken(f"by {found.unit} on {found.host}" if found else "back by its unit, which is stopping")
            return
        compare = {"prevExist": "false"} if step is Step.CREATE else {"prevValue": text}
        if self._api.put(self._key, self._value, TTL_SEC, **compare).done:
            self._now_held(now)

    def _now_held(self, since: float) -> None:
        self._renewed_at = since
        self._taken = False

    def _now_taken(self, how: str) -> None:
        if not self._taken:
            log.warning("the registration at %s was taken %s; it is put back when it is free again", self._key, how)
        self._taken = True
