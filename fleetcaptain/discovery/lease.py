"""A registration that the app renews until it closes the lease or ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.discovery.keys import TTL_SEC
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.discovery.log import log
from fleetcaptain.discovery.renewal import RenewalStep, next_step
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.untrusted import readable

__all__ = ["Lease"]

_PERIOD_SEC = TTL_SEC / 3
_AGAIN_SEC = 5.0


class Lease:
    """Renews *value* at *key* in a thread; as a context manager it closes itself.

    *withdraw* removes the registration; *shared* as for `next_step`. After a fork only the process that registered
    renews.
    """

    def __init__(
        self,
        api: KeysApi,
        key: str,
        value: str,
        *,
        shared: bool,
        withdraw: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._key = key
        self._value = value
        self._own = Registration.from_json(value)
        self._shared = shared
        self._withdraw = withdraw
        self._clock = clock
        self._renewed_at = clock()
        self._taken = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"renews {key}", daemon=True)

    def start(self) -> None:
        """Register and start renewing. Raises ClusterUnreachable; then nothing is renewed."""
        self._renewed_at = self._clock()
        self._api.put(self._key, self._value, TTL_SEC)
        self._thread.start()

    @property
    def held(self) -> bool:
        """Whether the registration is in place, as far as is known, and is renewed."""
        return not self._ended.is_set() and not self._taken

    def stop(self) -> None:
        """Stop renewing and wait for the thread to end. The registration expires."""
        self._ended.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def close(self) -> None:
        """Stop and remove the registration. May be repeated. Raises ClusterUnreachable."""
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
                log.warning("Could not renew the registration at %s: %s", self._key, error)
                pause = _AGAIN_SEC

    def renew(self) -> None:
        """Renew once; if that fails, take the step that `next_step` gives. Raises ClusterUnreachable."""
        now = self._clock()
        if self._api.refresh(self._key, self._value, TTL_SEC).done:
            self._now_held(now)
            return
        answer = self._api.get(self._key)
        text = str(answer.node.get("value", ""))
        found = readable(Registration.from_json, text)
        if found is None and not answer.gone:
            self._now_taken("an invalid value replaced it")
            return
        lapsed = now - self._renewed_at >= TTL_SEC and not self._taken
        step = next_step(self._own, found, shared=self._shared, lapsed=lapsed)
        if step is RenewalStep.WAIT:
            self._now_taken(
                f"{found.unit} on {found.host} replaced it" if found else "its unit, which is stopping, removed it"
            )
            return
        if step is RenewalStep.RENEW:
            if self._api.refresh(self._key, text, TTL_SEC).done:
                self._now_held(now)
            return
        compare = {"prevExist": "false"} if step is RenewalStep.CREATE else {"prevValue": text}
        if self._api.put(self._key, self._value, TTL_SEC, **compare).done:
            self._now_held(now)

    def _now_held(self, since: float) -> None:
        self._renewed_at = since
        self._taken = False

    def _now_taken(self, reason: str) -> None:
        if not self._taken:
            log.warning("Lost the registration at %s: %s. It is written again once the key is free.", self._key, reason)
        self._taken = True
