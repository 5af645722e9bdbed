"""The provider service of Pulumi's engine, over the providers of this program. It replaces the SDK's host,
which serves four calls at a time, ignores Cancel, has no partial failures, and adds text to errors."""

# ruff: noqa: ARG002, N802  the protocol's own names

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from pulumi.dynamic import Config, ConfigureRequest, ResourceProvider
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2_grpc, plugin_pb2, provider_pb2_grpc, status_pb2
from pulumi.runtime.proto import provider_pb2 as proto

from components.engine.announcements import ANNOUNCED, Announcements
from components.engine.dynamic_resource import CURRENT, Operation, PartialFailure
from components.host.property_values import struct_of, values_of
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.printable import printable

__all__ = ["Servicer", "serve"]

# More than `--parallel` needs, so that Cancel never waits for a rollout. Threads start on demand.
_THREADS = 1024
_OPTIONS = [("grpc.max_receive_message_length", 400 << 20)]
_WATCH_SEC = 0.5
# A running operation ends after its present step, within this time.
_LAST_STEP_SEC = 120
_FAILED = grpc.StatusCode.UNKNOWN
_NULL = Value(null_value=NULL_VALUE)
_CHANGES = {None: "DIFF_UNKNOWN", False: "DIFF_NONE", True: "DIFF_SOME"}


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Serves *providers* (kind -> class) to *engine* (``host:port``). Pulumi prints their results and errors, so these
    are made `printable`. Other calls end as "unimplemented", which the engine accepts."""

    def __init__(self, providers: Mapping[str, type[ResourceProvider]], engine: str) -> None:
        self._providers = providers
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine))
        self.cancel = threading.Event()
        self._checked: set[str] = set()
        self._announcements = Announcements()
        self._config: dict[str, Any] = {}

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """No version: the host comes with the program."""
        return plugin_pb2.PluginInfo()

    def Configure(self, request: Any, context: grpc.ServicerContext) -> proto.ConfigureResponse:
        """Keep the stack's configuration, in clear, for providers that override `configure`. Secrets of resources
        arrive as plain values, and the engine marks outputs of the same names as secrets."""
        config = values_of(request.args)
        self._config = {key: rpc.unwrap_rpc_secret(value) for key, value in config.items()}
        return proto.ConfigureResponse(acceptSecrets=False)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Empty:
        """Stop operations after their present step."""
        self.cancel.set()
        return Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> proto.InvokeResponse:
        """What the operations announced so far, for the program."""
        if request.tok != ANNOUNCED:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"No function {request.tok}.")
        found = proto.InvokeResponse()
        getattr(found, "return").update(self._announcements.take())
        return found

    def Check(self, request: Any, context: grpc.ServicerContext) -> proto.CheckResponse:
        """The inputs as the provider completes them, and their errors."""
        with self._operation(request, context) as provider:
            result = provider.check(values_of(request.olds), values_of(request.news))
            wrong = [proto.CheckFailure(property=one.property, reason=printable(one.reason)) for one in result.failures]
            self._checked.add(request.urn)
            return proto.CheckResponse(inputs=struct_of(result.inputs, request.olds), failures=wrong)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> proto.DiffResponse:
        """The provider's comparison, or none: then the engine compares the inputs, or `_shown_diff` does for a provider
        with ``internal_inputs``. The engine checks the inputs of a resource that the program declares first; without
        that it compares for a refresh."""
        declared = request.urn in self._checked
        self._checked.discard(request.urn)
        with self._operation(request, context, declared=declared) as provider:
            result = provider.diff(request.id, values_of(request.olds), values_of(request.news))
            internal: Collection[str] = getattr(provider, "internal_inputs", ())
            if declared and internal and result.changes is None and not result.replaces:
                return _shown_diff(request.old_inputs, request.news, internal)
            changes = proto.DiffResponse.DiffChanges.Value(_CHANGES[result.changes])
            return proto.DiffResponse(
                changes=changes, replaces=result.replaces, deleteBeforeReplace=bool(result.delete_before_replace)
            )

    def Create(self, request: Any, context: grpc.ServicerContext) -> proto.CreateResponse:
        """Create the resource."""
        with self._operation(request, context) as provider:
            result = provider.create(values_of(request.properties))
            return proto.CreateResponse(id=result.id, properties=struct_of(result.outs, request.properties, printable))

    def Read(self, request: Any, context: grpc.ServicerContext) -> proto.ReadResponse:
        """The observed state of the resource; no id if it is gone."""
        with self._operation(request, context) as provider:
            if not request.properties.fields:
                raise FleetCaptainError("Cannot import it. Run `pulumi up`, which adopts the units on the cluster.")
            result = provider.read(request.id, values_of(request.properties))
            outs = struct_of(result.outs, request.properties, printable)
            inputs = None if result.inputs is None else struct_of(result.inputs, request.inputs, printable)
            return proto.ReadResponse(id=result.id or "", properties=outs, inputs=inputs)

    def Update(self, request: Any, context: grpc.ServicerContext) -> proto.UpdateResponse:
        """Change the resource."""
        with self._operation(request, context) as provider:
            result = provider.update(request.id, values_of(request.olds), values_of(request.news))
            return proto.UpdateResponse(properties=struct_of(result.outs, request.news, printable))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Empty:
        """Delete the resource."""
        with self._operation(request, context) as provider:
            provider.delete(request.id, values_of(request.properties))
            return Empty()

    @contextmanager
    def _operation(
        self, request: Any, context: grpc.ServicerContext, *, declared: bool = False
    ) -> Iterator[ResourceProvider]:
        """The provider of the resource, as the `CURRENT` operation. An error ends the call with only its own text."""
        token = CURRENT.set(Operation(request.urn, self._engine, self.cancel, declared, self._announcements))
        try:
            yield self._provider(request.urn)
        except PartialFailure as failure:
            inputs = request.news if hasattr(request, "news") else request.properties
            context.set_trailing_metadata((("grpc-status-details-bin", _half_done(failure, inputs)),))
            context.abort(_FAILED, printable(str(failure)))
        except FleetCaptainError as error:
            context.abort(_FAILED, printable(str(error)))
        except Exception as error:
            context.abort(_FAILED, printable(f"{type(error).__name__}: {error}"))
        finally:
            CURRENT.reset(token)

    def _provider(self, urn: str) -> ResourceProvider:
        token = urn.split("::")[2].rpartition("$")[2]
        provider = self._providers.get(token.rpartition(":")[2])
        if provider is None:
            raise FleetCaptainError(f"No provider for {token}. Use the version of FleetCaptain that created {urn}.")
        made = provider()
        made.configure(ConfigureRequest(Config(self._config, "fleetcaptain")))
        return made


def _shown_diff(olds: Struct, news: Struct, internal: Collection[str]) -> proto.DiffResponse:
    """The inputs that differ, as the engine compares them. It shows those that are *internal*, such as hashes, only if
    no other one does: they follow from others, and for a comparison that shows nothing it prints all inputs."""
    differing = {key for key in olds.keys() | news.keys() if _field(olds, key) != _field(news, key)}
    visible = differing - {*internal} or differing
    shown = {key: proto.PropertyDiff(kind=_kind(key, olds, news), inputDiff=True) for key in visible}
    changes = proto.DiffResponse.DIFF_SOME if differing else proto.DiffResponse.DIFF_NONE
    return proto.DiffResponse(changes=changes, diffs=sorted(shown), detailedDiff=shown, hasDetailedDiff=True)


def _kind(key: str, olds: Struct, news: Struct) -> proto.PropertyDiff.Kind.ValueType:
    if _field(olds, key) == _NULL:
        return proto.PropertyDiff.ADD
    return proto.PropertyDiff.DELETE if _field(news, key) == _NULL else proto.PropertyDiff.UPDATE


def _field(struct: Struct, key: str) -> Value:
    return struct.fields.get(key, _NULL)


def _half_done(failure: PartialFailure, inputs: Struct) -> bytes:
    """The error details with the outputs that the engine keeps in its state."""
    reason, outs = printable(str(failure)), struct_of(failure.outs, inputs, printable)
    packed = AnyMessage()
    packed.Pack(proto.ErrorResourceInitFailed(id=failure.id, properties=outs, reasons=[reason], inputs=inputs))
    return status_pb2.Status(code=_FAILED.value[0], message=reason, details=[packed]).SerializeToString()


def serve(providers: Mapping[str, type[ResourceProvider]], engine: str) -> None:
    """Serve *providers* until the engine at *engine* (``host:port``), the parent of this process, ends it or is killed.
    A plugin's first line of output is its port."""
    parent, servicer = os.getppid(), Servicer(providers, engine)
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with suppress(KeyboardInterrupt):  # the engine ends its plugins with it
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        while os.getppid() == parent:
            time.sleep(_WATCH_SEC)
    servicer.cancel.set()
    server.stop(None)
    # Python waits for the threads of running operations.
    limit = threading.Timer(_LAST_STEP_SEC, os._exit, (1,))
    limit.daemon = True
    limit.start()


if __name__ == "__main__":
    from components.host.provider_registry import PROVIDERS

    serve(PROVIDERS, sys.argv[-1])
