"""Runs an app's deploy hooks around the resources of the program. The engine calls hooks in the program's process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from pathlib import Path

import pulumi

from components.engine import diagnostics
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.hooks.hook_files import FOLDER, Hook, find_hooks, hook_environ
from fleetcaptain.hooks.hook_process import run_hook

__all__ = ["HOOK_SEC", "DeployHooks"]

HOOK_SEC = 300.0
# What a deployment changes on the cluster, by the last word of a resource's type; and its last resource.
_DEPLOYS = frozenset({"Strays", "Task", "Unit", "Release", "Readiness"})
_GATE = "Readiness"
# Components, which have no operations of their own, and Pulumi's providers.
_UNBOUND = ("fleetcaptain:", "pulumi:")


class DeployHooks:
    """The hooks of the *app* in the folder *root*, deployed as *stack* (``project/stack``): each runs at most once in
    an update, for *timeout_sec* seconds at most, and none in a preview. Raises FleetfileError for one that cannot run.

    `describe` tells them the release.
    """

    def __init__(self, root: Path, app: str, stack: str, timeout_sec: float = HOOK_SEC) -> None:
        self._paths: Mapping[Hook, Path] = find_hooks(root)
        self._root, self._app, self._stack, self._timeout_sec = root, app, stack, timeout_sec
        self._release = ""
        self._services: tuple[str, ...] = ()
        self._runs: dict[Hook, asyncio.Task[str]] = {}

    def describe(self, base: str, tag: pulumi.Output[str], services: Collection[str]) -> None:
        """The release of this update has the *services* and the *tag*; until that is known, *base* stands for it."""
        self._release, self._services = base, tuple(services)
        tag.apply(self._name)

    def attach(self) -> None:
        """Bind the hooks to the resources that the program declares from now on. Without hooks nothing is bound."""
        if not self._paths:
            return
        before = pulumi.ResourceHook(Hook.PRE_DEPLOY.value, self._before)
        after = pulumi.ResourceHook(Hook.POST_DEPLOY.value, self._after)
        failed = pulumi.ErrorHook(Hook.ON_FAILURE.value, self._failed)

        def bind(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
            if args.type_.startswith(_UNBOUND):
                return None
            kind = args.type_.rpartition(":")[2]
            binding = pulumi.ResourceHookBinding(
                before_create=[before] if kind in _DEPLOYS else None,
                before_update=[before] if kind in _DEPLOYS else None,
                after_create=[after] if kind == _GATE else None,
                after_update=[after] if kind == _GATE else None,
                on_error=[failed],
            )
            args.opts.hooks = pulumi.ResourceHookBinding.merge(args.opts.hooks, binding)
            return pulumi.ResourceTransformationResult(args.props, args.opts)

        pulumi.runtime.register_stack_transformation(bind)

    async def _before(self, _args: pulumi.ResourceHookArgs) -> None:
        """Raises FleetCaptainError if the hook failed; the engine then changes nothing of the deployment."""
        first = Hook.PRE_DEPLOY not in self._runs
        why = await self._once(Hook.PRE_DEPLOY)
        if not why:
            return
        error = f"{FOLDER}/{Hook.PRE_DEPLOY.value} failed: {why}. Nothing was deployed."
        if first:
            await self._once(Hook.ON_FAILURE, result="failed", failed=Hook.PRE_DEPLOY.value, error=error)
            raise FleetCaptainError(f"{error} Fix what it reports, then run `pulumi up` again.")
        raise FleetCaptainError("not deployed")

    async def _after(self, _args: pulumi.ResourceHookArgs) -> None:
        """Raises FleetCaptainError if the hook failed; the update then fails, and the deployment stays."""
        why = await self._once(Hook.POST_DEPLOY, result="done")
        if why:
            error = (
                f"{FOLDER}/{Hook.POST_DEPLOY.value} failed: {why}. The release {self._release} is deployed and current."
            )
            await self._once(Hook.ON_FAILURE, result="failed", failed=Hook.POST_DEPLOY.value, error=error)
            raise FleetCaptainError(f"{error} The next `pulumi up` does not repeat the hook: run it by hand.")

    async def _failed(self, args: pulumi.ErrorHookArgs) -> bool:
        """An operation failed. The engine must not try it again."""
        error = args.errors[0].removeprefix("1 error occurred:").strip().removeprefix("* ") if args.errors else ""
        why = await self._once(Hook.ON_FAILURE, result="failed", failed=args.name, error=error)
        if why:
            diagnostics.warn(f"{FOLDER}/{Hook.ON_FAILURE.value} failed: {why}.")
        return False

    async def _once(self, hook: Hook, *, result: str = "", failed: str = "", error: str = "") -> str:
        """Run *hook* unless it ran; why it failed, "" if it did not, or does not exist."""
        if hook not in self._paths:
            return ""
        if hook not in self._runs:
            about = hook_environ(
                hook,
                app=self._app,
                stack=self._stack,
                release=self._release,
                services=self._services,
                result=result,
                failed=failed,
                error=error,
            )
            self._runs[hook] = asyncio.ensure_future(self._run(hook, about))
        return await asyncio.shield(self._runs[hook])

    async def _run(self, hook: Hook, about: Mapping[str, str]) -> str:
        loop = asyncio.get_running_loop()

        def report(line: str) -> None:
            loop.call_soon_threadsafe(diagnostics.info, f"{hook.value}: {line}")

        environ = {**os.environ, **about}
        return await asyncio.to_thread(run_hook, self._paths[hook], self._root, environ, self._timeout_sec, report)

    def _name(self, tag: str) -> None:
        self._release = tag
