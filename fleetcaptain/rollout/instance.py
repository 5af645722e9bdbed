"""One instance as the cluster reports it. Everything is decided from these values."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Instance"]


@dataclass(frozen=True)
class Instance:
    """One instance as reported.

    *content* is the SHA1 of the unit's text in fleet, None when there is no such unit. *running* is the SHA1 of the
    text that systemd runs, None when no state is reported, which means unknown, not down. *registered* is the content
    in its live registration. *machine* is an address; *lost* says that fleet gave the instance to a machine that does
    not answer now. *zone* is the machine's failure domain. *missing_bound* names a unit that systemd stopped together
    with the instance, as it is bound to it, and that does not run again.
    """

    name: str
    content: str | None = None
    desired: str = "inactive"
    current: str = "inactive"
    machine: str | None = None
    running: str | None = None
    active: str = ""
    sub: str = ""
    registered: str | None = None
    lost: bool = False
    zone: str = ""
    missing_bound: str = ""

    def healthy(self, content: str) -> bool:
        """Whether this very *content* runs on its machine and has registered itself, and what is bound to it runs."""
        return (
            self.content == content
            and self.desired == "launched"
            and self.running == content
            and self.active == "active"
            and self.sub in ("running", "exited")
            and self.registered == content
            and not self.missing_bound
        )

    @property
    def halted(self) -> bool:
        """Whether systemd runs nothing of it though fleet has started it: fleet starts a unit once, and never again.

        It ended well, or was stopped on its machine, or a unit that it is bound to stopped. Or its start waits for
        another unit, or its state is reported late: only time tells those apart.
        """
        return (
            self.content is not None
            and self.running == self.content
            and self.desired == self.current == "launched"
            and self.active == "inactive"
        )

    @property
    def unplaced(self) -> bool:
        """Whether no machine has it, though fleet was asked to start it."""
        asked = self.content is not None and self.desired == "launched"
        return asked and self.machine is None and self.running is None and not self.lost

    def stuck(self, content: str) -> bool:
        """Whether only a stop and another start bring it to *content*, whatever fleet says."""
        return self.content == content and (self.halted or self.outlived(content))

    def outlived(self, content: str) -> bool:
        """Whether fleet takes it for *content*, but what is registered is of another text.

        fleet asks systemd for a stop and a start without a wait between (fleet's `agent/reconcile.go`), and where the
        stop still waits when the start comes, systemd drops it: the process of the other text runs on.
        """
        return (
            self.running == content
            and (self.active, self.sub) == ("active", "running")
            and self.registered not in (None, content)
        )

    @property
    def serving(self) -> bool:
        """Whether it is up with whatever content it has."""
        return self.content is not None and self.healthy(self.content)

    @property
    def stopped(self) -> bool:
        """Whether systemd runs nothing of it, and fleet knows that: until then a start would do nothing."""
        return self.active in ("", "inactive", "failed") and self.current != "launched"

    @property
    def gone(self) -> bool:
        """Whether neither fleet nor systemd knows it any more."""
        return self.content is None and self.running is None
