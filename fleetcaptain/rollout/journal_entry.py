"""The entry of a service's journal, and the record that its rollout leaves in the history. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from fleetcaptain.history.record_retention import KEPT
from fleetcaptain.history.rollout_record import RolloutRecord, limited
from fleetcaptain.rollout.recorder import Recorder
from fleetcaptain.untrusted import ANY, NAME, WORD, json_object

__all__ = ["JournalEntry", "record_of"]


@dataclass(frozen=True)
class JournalEntry:
    """The last rollout of a service: *who* began it when (*since*), *before* and *to* (SHA1s of unit texts), its
    *state* (rolling, done, failed, interrupted) and, when it failed, the *error*.

    *strategy*, *release* and *rollback* are for its record in the history. *history* names the service's records that
    etcd keeps, this rollout's last: so no rollout has to read them.
    """

    who: str
    since: str
    before: tuple[str, ...]
    to: str
    state: str
    until: str = ""
    error: str = ""
    strategy: str = ""
    release: str = ""
    history: tuple[str, ...] = ()
    rollback: bool = False

    def to_json(self) -> str:
        """The text kept in etcd."""
        return json.dumps({**self.__dict__, "before": list(self.before), "history": list(self.history)})

    @classmethod
    def from_json(cls, text: str) -> JournalEntry:
        """The entry that *text* is. Raises Unreadable."""
        fields = json_object(text)
        return cls(
            who=fields.text("who"),
            since=fields.text("since", WORD),
            before=fields.texts("before", WORD),
            to=fields.text("to", WORD),
            state=fields.text("state", WORD),
            until=fields.text("until", WORD, ""),
            error=fields.text("error", ANY, ""),
            strategy=fields.text("strategy", WORD, ""),
            release=fields.text("release", WORD, ""),
            history=fields.texts("history", NAME)[-KEPT:],
            rollback=fields.flag("rollback"),
        )


def record_of(
    service: str, entry: JournalEntry, recorder: Recorder, *, seconds: float = 0, wanted: int = 0
) -> RolloutRecord:
    """The record of the rollout of *service* with the journal's *entry*, which took *seconds*; *recorder* saw it. A
    rollout that still is ``rolling`` there was interrupted: its process was killed."""
    recording = recorder.recording
    state = {"rolling": "interrupted", "failed": "rolled back" if recorder.rolled_back else "failed"}
    record = RolloutRecord(
        service=service,
        who=entry.who,
        since=entry.since,
        before=entry.before,
        to=entry.to,
        state=state.get(entry.state, entry.state),
        until=entry.until,
        seconds=round(seconds, 1),
        strategy=entry.strategy,
        release=entry.release,
        rollback=entry.rollback,
        error=entry.error,
        wanted=wanted,
        instances=recording.instances if recording else {},
        serving=recording.serving if recording else (),
    )
    return limited(record)
