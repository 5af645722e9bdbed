"""A state of an earlier version, whose resources carry pickled providers, in the real Pulumi."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.hosting.recorded import PROVIDERS, STATE, dynamic
from tests.local.terminal.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A stack with that state, its program, and the product's own host."""
    session = Session.make(tmp_path, "tests.local.hosting.recorded", "components/host")
    assert session.pulumi("stack", "import", "--file", str(STATE)).code == 0
    return session


def test_it_is_a_state_of_every_kind() -> None:
    """Of that version, but of the local machines, which need Docker: those are in tests/e2e. Each kind has a pickle of
    its own."""
    resources = dynamic(STATE.read_text()).values()
    newer = {"JoinedMember", "LocalMachines", "Logins", "Secrets", "Task", "Timer"}
    assert {one["type"].rpartition(":")[2] for one in resources} == PROVIDERS.keys() - newer
    pickles = {one["type"]: {part["__provider"] for part in (one["inputs"], one["outputs"])} for one in resources}
    assert [len(found) for found in pickles.values()] == [1] * len(pickles)
    assert len(set.union(*pickles.values())) == len(pickles)


def test_nothing_of_it_changes(session: Session) -> None:
    """Not even the pickles: neither in a preview nor in an update, and the state stays as it was."""
    before = dynamic(STATE.read_text())
    for command in (["preview", "--diff"], ["up", "--yes", "--skip-preview", "--diff"]):
        screen = session.pulumi(*command)
        assert screen.code == 0, screen.text
        summary = screen.text.partition("Resources:")[2]
        assert f"{len(before) + 1} unchanged" in summary, screen.text
        assert not any(f"to {word}" in summary or f"{word}d" in summary for word in ("create", "update", "delete"))
        assert "__provider" not in screen.text
    after = dynamic(session.pulumi("stack", "export").text)
    assert after.keys() == before.keys()
    for urn, resource in before.items():
        assert {key: after[urn][key] for key in ("id", "inputs", "outputs")} == {
            key: resource[key] for key in ("id", "inputs", "outputs")
        }


def test_a_changed_input_is_the_only_change(session: Session) -> None:
    """So the comparison above would show one."""
    program = (session.folder / "__main__.py").read_text()
    edit = 'STATE.read_text().replace("Keeps behavioral\'s registrations", "Keeps all registrations")'
    lines = [
        "from tests.local.hosting import recorded",
        "from types import SimpleNamespace",
        f"text = recorded.{edit}",
        "recorded.STATE = SimpleNamespace(read_text=lambda: text)",
    ]
    (session.folder / "__main__.py").write_text("\n".join([*lines, program]))
    screen = session.pulumi("preview", "--diff")
    assert "1 to update" in screen.text, screen.text
    assert "__provider" not in screen.text
