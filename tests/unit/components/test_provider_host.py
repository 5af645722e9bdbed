"""The host of the providers, called as the engine calls it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc, status_pb2
from pulumi.runtime.proto import provider_pb2 as proto

from components.engine.announcements import ANNOUNCED, show_announcements
from components.engine.dynamic_resource import (
    PartialFailure,
    announce,
    announce_warning,
    cancelled,
    is_declared,
    status,
    warn,
)
from components.host.provider_registry import PROVIDERS
from components.host.provider_service import Servicer
from fleetcaptain.errors import RolloutFailed
from tests.fakes.fake_engine import FakeEngine

ROOT = Path(__file__).resolve().parents[3]
HOST = ROOT / "components" / "host" / "pulumi-resource-pulumi-python"
HOSTILE = "<{% if a %}div{% endif %}>\x1b]0;title\x07\x9b\u202e"
SHOWN = r"<{ % if a %}div{% endif %}>\x1b]0;title\x07\x9b\u202e"
URN = "urn:pulumi:dev::shop::shop:index:App$pulumi-python:dynamic/fleet:Sample::web::1"
ERRORS = [
    (RolloutFailed(HOSTILE), SHOWN),
    (ValueError(f"{HOSTILE}\ud800"), rf"ValueError: {SHOWN}\ud800"),
    (PartialFailure("id", {}, HOSTILE), SHOWN),
]
DIFFS = [(None, "DIFF_UNKNOWN"), (True, "DIFF_SOME"), (False, "DIFF_NONE")]


class SampleProvider(ResourceProvider):
    """Each of its methods does what the test's *operation* does."""

    operation: Any = staticmethod(lambda *arguments: arguments)

    def _operate(self, *arguments: Any) -> Any:
        return SampleProvider.operation(*arguments)

    check = diff = create = read = update = delete = _operate  # type: ignore[assignment]


class Engine(engine_pb2_grpc.EngineServicer):
    """What the engine shows."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, int, bool]] = []

    def Log(self, request: Any, context: Any) -> Empty:  # noqa: ARG002, N802  the protocol's own name
        """Record a message."""
        self.lines.append((request.urn, request.message, request.severity, request.ephemeral))
        return Empty()


@pytest.fixture
def engine() -> Engine:
    """An engine that has shown nothing."""
    return Engine()


@pytest.fixture
def host(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """The host of one kind, ``Sample``, on the loopback."""
    monkeypatch.setattr(SampleProvider, "operation", SampleProvider.operation)
    servers = [grpc.server(ThreadPoolExecutor(count)) for count in (4, 100)]
    ports = [server.add_insecure_port("127.0.0.1:0") for server in servers]
    engine_pb2_grpc.add_EngineServicer_to_server(engine, servers[0])
    servicer = Servicer({"Sample": SampleProvider}, f"127.0.0.1:{ports[0]}")
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, servers[1])
    for server in servers:
        server.start()
    with grpc.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
    for server in servers:
        server.stop(None)


def does(operation: Any) -> None:
    """What the provider does from now on."""
    SampleProvider.operation = staticmethod(operation)


def struct(**values: Any) -> Struct:
    """A message of *values*."""
    message = Struct()
    message.update(values)
    return message


def raises(error: Exception) -> Any:
    """An operation that fails."""

    def operation(*_arguments: object) -> None:
        raise error

    return operation


def failure(call: Any, request: Any) -> Any:
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=60)
    return raised.value


def test_inputs_are_checked(host: Any) -> None:
    """With what is wrong, in words that can be printed. The inputs themselves stay as they are."""
    does(lambda olds, news: CheckResult({**news, "old": olds}, [CheckFailure("size", HOSTILE)]))
    response = host.Check(proto.CheckRequest(urn=URN, olds=struct(size=1), news=struct(unit=HOSTILE)))
    assert response.inputs == struct(unit=HOSTILE, old={"size": 1})
    assert [(one.property, one.reason) for one in response.failures] == [("size", SHOWN)]


@pytest.mark.parametrize(("changes", "expected"), DIFFS)
def test_a_provider_may_compare(host: Any, changes: bool | None, expected: str) -> None:
    """The outputs with the new inputs; otherwise the engine does."""
    does(lambda id_, olds, news: DiffResult(changes, [id_, *olds, *news] if changes else None, None, changes))
    response = host.Diff(proto.DiffRequest(id="id", urn=URN, olds=struct(out=1), news=struct(size=1)))
    assert response.changes == proto.DiffResponse.DiffChanges.Value(expected)
    assert list(response.replaces) == (["id", "out", "size"] if changes else [])
    assert response.deleteBeforeReplace is bool(changes)


@pytest.mark.parametrize(
    ("new", "changes", "shown"),
    [
        ({"size": 1, "hash": "a", "none": None}, "DIFF_NONE", {}),
        ({"size": 1, "hash": "b"}, "DIFF_SOME", {"hash": "UPDATE"}),
        ({"size": 2, "hash": "b"}, "DIFF_SOME", {"size": "UPDATE"}),
        ({"unit": "x", "hash": "a"}, "DIFF_SOME", {"unit": "ADD", "size": "DELETE"}),
    ],
)
def test_a_comparison_does_not_show_what_follows_from_other_inputs(
    host: Any, monkeypatch: pytest.MonkeyPatch, new: dict[str, Any], changes: str, shown: dict[str, str]
) -> None:
    """Such as hashes, unless nothing else differs. A refresh shows what the cluster has, as the engine compares it."""
    monkeypatch.setattr(SampleProvider, "internal_inputs", frozenset({"hash"}), raising=False)
    request = proto.DiffRequest(id="id", urn=URN, news=struct(**new), old_inputs=struct(size=1, hash="a"))
    does(lambda *_: DiffResult())
    assert host.Diff(request).changes == proto.DiffResponse.DIFF_UNKNOWN
    does(lambda _olds, news: CheckResult(news, []))
    host.Check(proto.CheckRequest(urn=URN, news=struct(**new)))
    does(lambda *_: DiffResult())
    response = host.Diff(request)
    assert response.changes == proto.DiffResponse.DiffChanges.Value(changes)
    assert response.hasDetailedDiff
    found = {key: proto.PropertyDiff.Kind.Name(one.kind) for key, one in response.detailedDiff.items()}
    assert found == shown


def test_comparisons_of_refresh_and_program_are_distinguished(host: Any) -> None:
    """The engine checks a resource that the program declares, and then compares it once."""
    asked: list[bool] = []

    def compare(*_: object) -> DiffResult:
        asked.append(is_declared())
        return DiffResult()

    def run(*calls: str) -> None:
        for call in calls:
            does(compare if call == "Diff" else lambda _olds, news: CheckResult(news, []))
            request = proto.DiffRequest(urn=URN) if call == "Diff" else proto.CheckRequest(urn=URN)
            getattr(host, call)(request)

    run("Diff", "Check", "Diff", "Diff")
    assert asked == [False, True, False]
    assert is_declared()  # outside of an operation, as in tests of providers


def test_resources_are_created_updated_and_deleted(host: Any) -> None:
    """With outputs that can be printed: most were read on the cluster."""
    does(lambda props: CreateResult("web", {**props, "found": HOSTILE}))
    created = host.Create(proto.CreateRequest(urn=URN, properties=struct(size=1, home="\u200b")))
    assert (created.id, created.properties) == ("web", struct(size=1, home="\u200b", found=SHOWN))
    does(lambda id_, olds, news: UpdateResult({"id": id_, "olds": olds, "news": news}))
    updated = host.Update(proto.UpdateRequest(id="web", urn=URN, olds=struct(size=1), news=struct(size=2)))
    assert updated.properties == struct(id="web", olds={"size": 1}, news={"size": 2})
    deleted: list[object] = []
    does(lambda *arguments: deleted.extend(arguments))
    host.Delete(proto.DeleteRequest(id="web", urn=URN, properties=struct(size=2)))
    assert deleted == ["web", {"size": 2.0}]


def test_resources_are_read(host: Any) -> None:
    """As outputs, and as inputs where the provider says so; what is gone has no id."""
    request = proto.ReadRequest(id="web", urn=URN, properties=struct(size=1, out=2), inputs=struct(size=1))
    does(lambda id_, props: ReadResult(id_, props, {"unit": HOSTILE}))
    read = host.Read(request)
    assert (read.id, read.properties, read.inputs) == ("web", struct(size=1, out=2), struct(unit=SHOWN))
    does(ReadResult)
    assert not host.Read(request).HasField("inputs")
    does(lambda *_: ReadResult(None, {}))
    assert host.Read(request).id == ""


def test_a_pickle_of_an_earlier_version_stays(host: Any) -> None:
    """In inputs and outputs, though the program declares none: so it is no change."""
    old, new = struct(__provider="gASV", size=1), struct(size=1)
    does(lambda *arguments: CheckResult(arguments[-1], []))
    assert host.Check(proto.CheckRequest(urn=URN, olds=old, news=new)).inputs == old
    assert host.Check(proto.CheckRequest(urn=URN, news=new)).inputs == new
    does(lambda id_, props: ReadResult(id_, props, props))
    read = host.Read(proto.ReadRequest(id="web", urn=URN, properties=old, inputs=old))
    assert (read.properties, read.inputs) == (old, old)
    does(lambda *arguments: UpdateResult(arguments[-1]))
    assert host.Update(proto.UpdateRequest(urn=URN, olds=old, news=old)).properties == old


@pytest.mark.parametrize(("error", "shown"), ERRORS)
@pytest.mark.parametrize("name", ["Check", "Diff", "Create", "Update", "Delete"])
def test_an_error_ends_the_call_with_its_text(host: Any, name: str, error: Exception, shown: str) -> None:
    """No traceback, and nothing that Pulumi would take for a colour of its own."""
    does(raises(error))
    raised = failure(getattr(host, name), getattr(proto, f"{name}Request")(urn=URN))
    assert (raised.code(), raised.details()) == (grpc.StatusCode.UNKNOWN, shown)


@pytest.mark.parametrize("name", ["Create", "Update"])
def test_a_partial_failure_leaves_its_state_with_the_engine(host: Any, name: str) -> None:
    """In the detail that the engine keeps the resource by, with its inputs."""
    does(raises(PartialFailure("web", {"found": HOSTILE}, HOSTILE)))
    inputs = struct(size=1, __provider="gASV")
    key = {"Create": "properties", "Update": "news"}[name]
    raised = failure(getattr(host, name), getattr(proto, f"{name}Request")(urn=URN, **{key: inputs}))
    ((_, value),) = [entry for entry in raised.trailing_metadata() if entry[0] == "grpc-status-details-bin"]
    message, detail = status_pb2.Status.FromString(value), proto.ErrorResourceInitFailed()
    message.details[0].Unpack(detail)
    assert (message.code, message.message) == (2, SHOWN)
    assert (detail.id, list(detail.reasons), detail.inputs) == ("web", [SHOWN], inputs)
    assert detail.properties == struct(found=SHOWN, __provider="gASV")


def test_what_the_engine_cannot_ask_for_is_refused(host: Any) -> None:
    """A kind without a provider, and an import: an id alone does not say which cluster it is on."""
    other = URN.replace("Sample", "Other")
    error = failure(host.Delete, proto.DeleteRequest(urn=other)).details()
    assert error.startswith("No provider for pulumi-python:dynamic/fleet:Other. Use the version")
    assert "Run `pulumi up`" in failure(host.Read, proto.ReadRequest(id="web", urn=URN)).details()
    for name in ("CheckConfig", "DiffConfig", "GetSchema"):
        request = proto.GetSchemaRequest() if name == "GetSchema" else getattr(proto, f"{name[:-6]}Request")()
        assert failure(getattr(host, name), request).code() is grpc.StatusCode.UNIMPLEMENTED
    assert host.GetPluginInfo(Empty()).version == ""
    assert not host.Configure(proto.ConfigureRequest()).acceptSecrets


def test_a_provider_gets_the_configuration_of_the_stack(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets in clear, in the form in which the engine sends them."""
    found: list[object] = []
    monkeypatch.setattr(
        SampleProvider,
        "configure",
        lambda _self, request: found.append(request.config.get("fleetcaptain:registryLogin")),
    )
    does(lambda _olds, news: CheckResult(news, []))
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "s3cret"}
    args = struct(**{"fleetcaptain:registryLogin": secret, "fleetcaptain:size": "3"})
    for request in (proto.ConfigureRequest(), proto.ConfigureRequest(args=args)):
        host.Configure(request)
        host.Check(proto.CheckRequest(urn=URN, news=struct(unit="x")))
    assert found == [None, "s3cret"]


def test_messages_are_shown_with_the_resource_that_is_worked_on(host: Any, engine: Engine) -> None:
    """Also when two are at once. A status in its row, a warning under the diagnostics."""
    both = threading.Barrier(2)

    def operation(id_: str, _props: object) -> None:
        both.wait(10)
        status(f"deleting {id_}")
        warn(HOSTILE)

    does(operation)
    urns = [URN, f"{URN}2"]
    calls = [host.Delete.future(proto.DeleteRequest(id=urn[-1], urn=urn)) for urn in urns]
    for call in calls:
        call.result(10)
    assert sorted(engine.lines) == sorted(
        line
        for urn in urns
        for line in (
            (urn, f"deleting {urn[-1]}", engine_pb2.INFO, True),
            (urn, SHOWN, engine_pb2.WARNING, False),
        )
    )


def _announces(id_: str, *_props: object) -> DiffResult:
    """Compares a service."""
    announce(f"{id_} is replaced")
    announce_warning(id_, "down meanwhile")
    return DiffResult()


def test_a_preview_has_once_what_its_resources_announce(host: Any, engine: Engine) -> None:
    """A warning of several services is one warning."""
    does(_announces)
    for id_ in ("web", "api"):
        host.Diff(proto.DiffRequest(id=id_, urn=f"{URN}{id_}"))
    found = [getattr(host.Invoke(proto.InvokeRequest(tok=ANNOUNCED)), "return") for _ in range(2)]
    assert found == [
        struct(lines="api is replaced\nweb is replaced", warnings=["api, web: down meanwhile"]),
        struct(lines="", warnings=[]),
    ]
    assert engine.lines == []


@pytest.mark.parametrize("preview", [True, False])
def test_the_program_shows_what_was_announced_in_a_preview(preview: bool) -> None:
    """Also when its last resource is not known yet. An update has its preview's."""
    engine = FakeEngine({ANNOUNCED: {"lines": "web is replaced", "warnings": ["web: down meanwhile"]}})
    engine.run(lambda: show_announcements(pulumi.Output.from_input(pulumi.UNKNOWN)), preview=preview)
    assert engine.messages == [("info", "web is replaced"), ("warning", "web: down meanwhile")] * preview


def test_outside_of_an_operation_no_message_is_shown() -> None:
    """Providers work without a host, and are never cancelled then."""
    status("of nothing")
    warn("of nothing")
    announce("of nothing")
    announce_warning("web", "of nothing")
    assert not cancelled()


def test_a_message_that_the_engine_does_not_take_is_dropped() -> None:
    """The operation goes on."""
    servicer = Servicer({"Sample": SampleProvider}, "127.0.0.1:1")
    with servicer._operation(proto.DeleteRequest(urn=URN), None):  # type: ignore[arg-type]
        status("working")


def test_all_operations_notice_a_cancel(host: Any) -> None:
    """Many more than four, and none keeps the engine from asking for it."""
    count = 60
    under_way, released = threading.Barrier(count + 1), threading.Event()
    noticed = []

    def operation(*_arguments: object) -> None:
        assert not cancelled()
        under_way.wait(20)
        released.wait(20)
        noticed.append(cancelled())

    does(operation)
    calls = [host.Delete.future(proto.DeleteRequest(urn=URN)) for _ in range(count)]
    under_way.wait(20)
    host.Cancel(Empty(), timeout=60)
    released.set()
    for call in calls:
        call.result(20)
    assert noticed == [True] * count


def test_each_kind_that_is_declared_has_its_provider() -> None:
    """No more, and no fewer: the program and its host are one."""
    declared = re.compile(r'super\(\).__init__\("(\w+)", name')
    texts = [path.read_text() for path in (ROOT / "components").rglob("*.py")]
    assert {kind for text in texts for kind in declared.findall(text)} == PROVIDERS.keys()


def start(script: str) -> subprocess.Popen[str]:
    """A shell that runs *script* with the host's executable as ``$0``."""
    argv = ["/bin/sh", "-c", script, str(HOST)]
    environ = {"PATH": "/nowhere", "PULUMI_RUNTIME_VIRTUALENV": sys.prefix}
    return subprocess.Popen(argv, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)


def test_the_executable_prints_its_port_and_ends_when_the_engine_interrupts_it() -> None:
    """Whatever is on PATH, and whatever options are before the engine's address."""
    with start('exec "$0" --logtostderr -v=9 127.0.0.1:1') as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
    assert process.returncode == 0


def test_the_executable_ends_when_its_engine_was_killed() -> None:
    """Its output ends, as no process holds the other end of it any more."""
    with start('"$0" 127.0.0.1:1; true') as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.kill()
        assert process.stdout.read() == ""
