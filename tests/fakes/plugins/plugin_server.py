"""A Pulumi plugin over a table of kinds: the engine's questions and what they are answered from."""

# ruff: noqa: ARG002, N802

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as proto

from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.plugin_errors import Refused, must_be_known, must_be_taken, told
from tests.fakes.plugins.property_diff import answer
from tests.fakes.plugins.resource_types import Kind, Plugin
from tests.fakes.plugins.wire import UNKNOWN, message, plain

__all__ = ["serve"]

_THREADS = 16


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """The calls that the engine makes; all others end as "not implemented", which it is content with."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """The version, which the engine compares with what the program's package wants."""
        return plugin_pb2.PluginInfo(version=self._plugin.version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> proto.CheckResponse:
        """Any configuration is taken."""
        return proto.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> proto.DiffResponse:
        """No change of configuration replaces the provider."""
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> proto.ConfigureResponse:
        """Takes the provider's settings, such as the region."""
        self._plugin.configure({key.rpartition(":")[2]: value for key, value in request.variables.items()})
        return proto.ConfigureResponse(acceptSecrets=False, supportsPreview=True, acceptResources=False)

    def Check(self, request: Any, context: grpc.ServicerContext) -> proto.CheckResponse:
        """Names the resource when the program did not."""
        with told(context):
            kind = self._kind(request.urn)
            news, olds = plain(request.news), plain(request.olds)
            if kind.autoname and kind.autoname not in news and f"{kind.autoname}Prefix" not in news:
                suffix = hashlib.sha256(request.randomSeed or request.urn.encode()).hexdigest()[:7]
                name = request.urn.rpartition("::")[2]
                news[kind.autoname] = olds.get(kind.autoname, f"{name}-{suffix}")
                news["__defaults"] = [kind.autoname]
            return proto.CheckResponse(inputs=message(news))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> proto.DiffResponse:
        """Compares the inputs."""
        with told(context):
            return answer(self._kind(request.urn), plain(request.old_inputs), plain(request.news))

    def Create(self, request: Any, context: grpc.ServicerContext) -> proto.CreateResponse:
        """Asks for the resource; in a preview its inputs are all that is known of it."""
        with told(context):
            kind, inputs = self._kind(request.urn), plain(request.properties)
            if request.preview:
                return proto.CreateResponse(properties=message(inputs))
            must_be_known(inputs)
            given = Given(inputs)
            made = kind.create(given)
            must_be_taken(request.urn, given, kind)
            return proto.CreateResponse(id=made.id, properties=message({**made.outputs, **inputs}))

    def Update(self, request: Any, context: grpc.ServicerContext) -> proto.UpdateResponse:
        """Asks for the changes of top-level inputs, once for those that go together."""
        with told(context):
            kind, olds, news = self._kind(request.urn), plain(request.old_inputs), plain(request.news)
            outputs = {key: value for key, value in plain(request.olds).items() if key not in olds}
            if request.preview:
                outputs.update(dict.fromkeys(kind.moves, UNKNOWN))
                return proto.UpdateResponse(properties=message({**outputs, **news}))
            must_be_known(news)
            changed = [key for key in sorted({*olds, *news} - {"__defaults"}) if olds.get(key) != news.get(key)]
            missing = [key for key in changed if key not in kind.unmet and key not in kind.updates]
            if missing:
                raise Refused(f"{request.urn}: no update of {', '.join(missing)} is in the stand-in's table")
            for update in dict.fromkeys(kind.updates[key] for key in changed if key not in kind.unmet):
                outputs.update(update(Given(news, request.id)) or {})
            return proto.UpdateResponse(properties=message({**outputs, **news}))

    def Read(self, request: Any, context: grpc.ServicerContext) -> proto.ReadResponse:
        """Nothing changes behind the engine's back but what the kind reads. Without an id the resource is gone."""
        with told(context):
            read, had, inputs = self._kind(request.urn).read, plain(request.properties), plain(request.inputs)
            found = read(Given(had, request.id)) if read else {}
            if found is None:
                return proto.ReadResponse()
            given = {key: value for key, value in found.items() if key in inputs}
            return proto.ReadResponse(
                id=request.id, properties=message({**had, **found}), inputs=message({**inputs, **given})
            )

    def Delete(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Asks for the resource's end."""
        with told(context):
            self._kind(request.urn).delete(Given(plain(request.properties), request.id))
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> proto.InvokeResponse:
        """Answers a function."""
        with told(context):
            if request.tok not in self._plugin.invokes:
                raise Refused(f"the stand-in does not know the function {request.tok}")
            given = Given(plain(request.args))
            found = self._plugin.invokes[request.tok](given)
            if left := given.left(()):
                raise Refused(f"{request.tok}: nothing is asked for {', '.join(left)}")
            answered = proto.InvokeResponse()
            getattr(answered, "return").update(found)  # a word of Python's
            return answered

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Nothing takes long enough to be cancelled."""
        return empty_pb2.Empty()

    def _kind(self, urn: str) -> Kind:
        token = urn.split("::")[2].rpartition("$")[2]
        if token not in self._plugin.kinds:
            raise Refused(f"the stand-in does not know the type {token}")
        return self._plugin.kinds[token]


def serve(plugin: Plugin) -> None:
    """Answer until the engine ends the process. The first line printed is the port, as a plugin's has to be."""
    options = [("grpc.max_receive_message_length", 400 << 20)]
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(plugin), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with suppress(KeyboardInterrupt):  # how the engine ends it
        server.wait_for_termination()
