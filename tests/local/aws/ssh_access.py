"""Who gets in by ssh: by the rules, addresses and instances that moto has at that moment."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from typing import Any

from tests.local.aws.cloud import Cloud

__all__ = ["SshAccess", "serving"]

_SSH = 22


class SshAccess:
    """Decides about ssh processes of a computer whose address is *own*, which may change."""

    def __init__(self, cloud: Cloud, own: str) -> None:
        self.own = own
        self._cloud = cloud

    def refusal(self, argv: Sequence[str]) -> str:
        """What the ssh process with *argv* prints when it does not get in; "" when it does."""
        host = argv[argv.index("--") + 1].rpartition("@")[2]
        proxy = next((word.partition("=")[2] for word in argv if word.startswith("ProxyCommand=")), "")
        if host.startswith("i-"):
            return self._by_session(host, proxy)
        if "-W" in (words := shlex.split(proxy)):
            return self.refusal(words) or self._inside(host)
        return self._by_address(host)

    def _by_session(self, instance: str, proxy: str) -> str:
        if not proxy.startswith("aws ssm start-session"):
            return f"ssh: Could not resolve hostname {instance}: Name or service not known"
        found = self._running(lambda one: one["InstanceId"] == instance)
        if found and self._has_agent(found[0]):
            return ""
        return f"An error occurred (TargetNotConnected) when calling the StartSession operation: {instance}"

    def _has_agent(self, instance: Mapping[str, Any]) -> bool:
        """Whether the role of *instance* lets Systems Manager's agent open channels."""
        iam = self._cloud.api("iam")
        profile = instance["IamInstanceProfile"]["Arn"].rpartition("/")[2]
        (role,) = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
        name = role["RoleName"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        inline = [
            str(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]
        return bool(attached) or any("ssmmessages:OpenDataChannel" in text for text in inline)

    def _inside(self, address: str) -> str:
        """An address that no instance ever had is one of the machines that moto does not start for its groups."""
        known = self._cloud.api("ec2").describe_instances(
            Filters=[{"Name": "private-ip-address", "Values": [address]}]
        )["Reservations"]
        if known and not self._running(lambda one: one["PrivateIpAddress"] == address):
            return f"channel 0: open failed: connect failed: No route to host {address}"
        return ""

    def _by_address(self, address: str) -> str:
        silence = f"ssh: connect to host {address} port 22: Connection timed out"
        ec2 = self._cloud.api("ec2")
        found = ec2.describe_addresses(Filters=[{"Name": "public-ip", "Values": [address]}])["Addresses"]
        interfaces = [one["NetworkInterfaceId"] for one in found if "NetworkInterfaceId" in one]
        if not self._running(
            lambda one: any(each["NetworkInterfaceId"] in interfaces for each in one["NetworkInterfaces"])
        ):
            return silence
        interface = ec2.describe_network_interfaces(NetworkInterfaceIds=interfaces)["NetworkInterfaces"][0]
        groups = ec2.describe_security_groups(GroupIds=[one["GroupId"] for one in interface["Groups"]])[
            "SecurityGroups"
        ]
        blocks = [
            block["CidrIp"]
            for group in groups
            for rule in group["IpPermissions"]
            if rule["IpProtocol"] == "tcp" and rule["FromPort"] <= _SSH <= rule["ToPort"]
            for block in rule["IpRanges"]
        ]
        return "" if any(ip_address(self.own) in ip_network(block) for block in blocks) else silence

    def _running(self, holds: Callable[[Mapping[str, Any]], bool]) -> list[Mapping[str, Any]]:
        """The running instances of which it *holds*. moto lacks filters by their interfaces."""
        filters = [{"Name": "instance-state-name", "Values": ["running"]}]
        found = self._cloud.api("ec2").describe_instances(Filters=filters)["Reservations"]
        return [one for reservation in found for one in reservation["Instances"] if holds(one)]


@contextmanager
def serving(access: SshAccess) -> Iterator[str]:
    """The URL at which `tests/fakes/bin/ssh` asks: it posts its arguments, and the answer is the refusal."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            argv = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                body = access.refusal(argv).encode()
            except Exception as error:
                body = f"the decision about {argv} failed: {error!r}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
