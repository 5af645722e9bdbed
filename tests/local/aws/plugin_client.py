"""Asks a stand-in as Pulumi's engine does, without the engine."""

from __future__ import annotations

from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2 as proto

from tests.fakes.plugins.plugin_server import Servicer
from tests.fakes.plugins.resource_types import Plugin
from tests.fakes.plugins.wire import message, plain

__all__ = ["Asking", "Refusal"]


class Refusal(Exception):
    """What the engine would be told."""


class _Context:
    def abort(self, _code: grpc.StatusCode, details: str) -> None:
        raise Refusal(details)


class Asking:
    """The calls to *plugin*; each type is named by its token. Raises Refusal."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin: Any = Servicer(plugin)

    def create(self, token: str, inputs: dict[str, Any], *, preview: bool = False) -> tuple[str, dict[str, Any]]:
        """The id and the outputs of a new resource."""
        request = proto.CreateRequest(urn=_urn(token), properties=message(inputs), preview=preview)
        answer = self._call("Create", request)
        return answer.id, plain(answer.properties)

    def delete(self, token: str, identity: str, state: dict[str, Any]) -> None:
        """Ends the resource *identity*."""
        self._call("Delete", proto.DeleteRequest(id=identity, urn=_urn(token), properties=message(state)))

    def diff(self, token: str, olds: dict[str, Any], news: dict[str, Any]) -> proto.DiffResponse:
        """What a change of the inputs does."""
        request = proto.DiffRequest(id="x", urn=_urn(token), old_inputs=message(olds), news=message(news))
        answer: proto.DiffResponse = self._call("Diff", request)
        return answer

    def _call(self, name: str, request: Any) -> Any:
        return getattr(self._plugin, name)(request, _Context())


def _urn(token: str) -> str:
    return f"urn:pulumi:s::p::{token}::name"
