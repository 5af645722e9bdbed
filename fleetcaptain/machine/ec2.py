"""The files and units of a machine on EC2: its volume, its addresses, its registry's login, and its drain.

They use EC2's metadata service, version 2, through `curl` and `jq`, which Flatcar has. Their texts are part of the
machines' user data: any change of a text, even of a comment in a script, replaces every machine.
"""

from __future__ import annotations

from fleetcaptain.machine.definition import File, Unit

__all__ = ["DEREGISTER_SEC", "DRAIN_HOOK", "LAUNCH_HOOK", "address", "drain", "login", "updates", "volume"]

DRAIN_HOOK = "drain"
"""The lifecycle hook of an Auto Scaling group that holds back the end of a machine until it is drained."""

LAUNCH_HOOK = "launch"
"""The lifecycle hook of an Auto Scaling group that holds back a new machine until fleet has it."""

DEREGISTER_SEC = 30
"""How long the load balancer goes on with the connections of a machine that it has taken out."""

_SESSION = """\
token=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' $imds/api/token)
"""

_IMDS = f"""\
imds=http://169.254.169.254/latest
{_SESSION}ask() {{ curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$imds/meta-data/$1"; }}
"""

_KEYS = """\
keys=$(ask "iam/security-credentials/$(ask iam/security-credentials/)")
"""

# The keys go through standard input: everybody sees the words of a command.
_SIGNED = """\
printf '%s' "$keys" | jq -r '"user = \\"\\(.AccessKeyId):\\(.SecretAccessKey)\\"",
  "header = \\"X-Amz-Security-Token: \\(.Token)\\""' | curl -sf -m 20 -K - --aws-sigv4"""

_ADDRESS = """\
#!/bin/sh
set -eu
{imds}private=$(ask local-ipv4)
public=$(ask public-ipv4 || echo "$private")
printf 'COREOS_PRIVATE_IPV4=%s\\nCOREOS_PUBLIC_IPV4=%s\\n' "$private" "$public" > /etc/environment
printf 'FLEET_PUBLIC_IP=%s\\nFLEET_METADATA=name=%s,zone=%s,{metadata}\\n' "${advertised}" "$(ask instance-id)" \\
  "$(ask placement/availability-zone)" > /etc/fleet/machine.env
"""

_REQUEST = {"imds": _IMDS, "keys": _KEYS, "signed": _SIGNED}

# The group first takes the machine out of the load balancer, which goes on with its connections for a while; a spot
# instance does not have the time. fleetd does not wait for the end of its units, and removes the file of one that the
# end of a window unloads as soon as it begins to stop: systemd still has it. Hours may then have passed since the first
# token. The group refuses an answer for which it does not wait yet.
#
# With an argument, the launch hook, it is the begin of a machine, which counts for its group when fleet has it. One
# that does not get so far is terminated, and a refresh of the group goes no further. fleet answers before it knows the
# machine. A group that does not wait for an answer refuses it each time.
_DRAIN = """\
#!/bin/sh
# fleet has no word for it: fleetd that is stopped ends its units, and the others take them at once.
set -eu
{imds}complete() {{
{token}{keys}{signed} 'aws:amz:{region}:autoscaling' -o /dev/null -d Action=CompleteLifecycleAction \\
  -d Version=2011-01-01 -d LifecycleActionResult=CONTINUE -d LifecycleHookName=$1 \\
  -d "InstanceId=$(ask instance-id)" \\
  --data-urlencode "AutoScalingGroupName=$(ask tags/instance/aws:autoscaling:groupName)" {api}
}}
if [ $# = 1 ]; then
  read -r id < /etc/machine-id
  machines='curl -sf -m 5 --unix-socket /run/fleet.sock http://fleet/fleet/v1/machines'
  until $machines | grep -qF "\\"$id\\""; do sleep 2; done
  tries=0
  until complete $1 || [ $tries = 60 ]; do tries=$((tries + 1)); sleep 5; done
  mkdir -p /var/lib/fleetcaptain
  touch /var/lib/fleetcaptain/launched
  exit
fi
state=$(ask autoscaling/target-lifecycle-state || true)
[ "$state" = Terminated ] || ask spot/instance-action > /dev/null || exit 0
[ "$state" != Terminated ] || sleep {deregister_sec}
units=$(ls /run/fleet/units || true)
systemctl stop fleet.socket fleet.service
stopping=$(systemctl list-units --state=deactivating --plain --no-legend --full | cut -d ' ' -f 1)
systemctl stop $units $stopping || true
until complete {hook}; do sleep 5; done
systemctl stop drain.timer
"""

_LAUNCHED_UNIT = """\
[Unit]
Description=Tells the group that fleet has the machine
ConditionPathExists=!/var/lib/fleetcaptain/launched
After=fleet.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={path} {hook}
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
"""

_LOGIN = """\
#!/bin/sh
# What `aws ecr get-login-password` does. The keys go through standard input: everybody sees the words of a command.
set -eu
umask 077
{imds}{keys}said=$({signed} 'aws:amz:{region}:ecr' \\
  -H 'Content-Type: application/x-amz-json-1.1' \\
  -H 'X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken' -d '{{}}' {api})
printf '%s' "$said" | jq '{{auths: {{"{registry}": {{auth: .authorizationData[0].authorizationToken}}}}}}' \\
  > /run/login.json
for user in root core; do
  home=$(getent passwd $user | cut -d: -f6)
  install -d -m 700 -o $user -g $user "$home/.docker"
  install -m 600 -o $user -g $user /run/login.json "$home/.docker/config.json"
done
rm /run/login.json
"""

_VOLUME = """\
#!/bin/sh
# The volume comes after the machine does, and on Nitro under a name that carries its id.
set -eu
while :; do
  for device in /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{nvme} /dev/xvdf; do
    [ -b $device ] && break 2
  done
  sleep 1
done
kind=0
blkid -p $device || kind=$?
# 2: blkid sees nothing on it, or could not read it. A new volume reads as zeros; anything else may be data.
if [ $kind -eq 2 ]; then
  zeros=$(head -c {proof} $device | tr -dc '\\0' | wc -c)
  if [ "$zeros" -ne {proof} ]; then
    echo "$device is not formatted: blkid finds nothing, but it is not empty or not readable. See docs/aws.md" >&2
    exit 1
  fi
  mkfs.ext4 -q -L etcd $device
fi
mkdir -p /var/lib/etcd
mountpoint -q /var/lib/etcd || mount $device /var/lib/etcd
resize2fs $device || echo "$device: its file system was not enlarged" >&2
chmod 700 /var/lib/etcd
"""

# How much of a volume must be zeros before it is formatted: the places of all file systems' and partitions' marks.
_PROOF_BYTES = 1024 * 1024

_ONCE = """\
[Unit]
Description={description}
After=network-online.target
Wants=network-online.target
Before={before}
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={path}
{more}
[Install]
WantedBy=multi-user.target
"""

# By default systemd would look only once a minute.
_TIMER = "[Unit]\nDescription={description}\n\n[Timer]\n{when}\nAccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n"
# Not Requires=: after one failed try the other unit would never start, even if the next try succeeds. A unit that needs
# the result fails without it and is restarted until it is there.
_NEEDS = "[Unit]\nWants={unit}\nAfter={unit}\n\n[Service]\n{check}\n"
_MOUNTED = "ExecStartPre=/bin/sh -c 'mountpoint -q /var/lib/etcd'"
_BIN = "/opt/bin/fleetcaptain-"


def updates() -> File:
    """Turns updates off: two members that reboot at once would lose etcd's quorum, and a machine that has downloaded
    one would boot another system than its neighbours. A new AMI brings a new system. Flatcar's own way to turn them off
    is this server (its update-strategies.md)."""
    return File("/etc/flatcar/update.conf", "SERVER=disabled\nREBOOT_STRATEGY=off\n")


def volume(volume_id: str) -> tuple[tuple[File, ...], tuple[Unit, ...]]:
    """etcd's data on a separate EBS volume, formatted only when it is proven empty; its file system grows with it. etcd
    waits for it: on the root disk it would start without its data."""
    script = _script("volume", _VOLUME.format(nvme=volume_id.replace("-", ""), proof=_PROOF_BYTES))
    needs = File("/etc/systemd/system/etcd.service.d/10-volume.conf", _needs("etcd-volume", _MOUNTED))
    stop = "ExecStop=/bin/umount /var/lib/etcd\nTimeoutStartSec=0\nRestart=on-failure\nRestartSec=5\n"
    return (script, needs), (_once("etcd-volume", "etcd's volume", "etcd.service", script, stop),)


def address(metadata: str, advertised: str) -> tuple[tuple[File, ...], tuple[Unit, ...]]:
    """The addresses that EC2 gave the machine, and its fleet metadata. *metadata* (``k=v,k=v``) is added to its name
    and zone; *advertised* is ``private`` or ``public``."""
    script = _script("address", _ADDRESS.format(imds=_IMDS, metadata=metadata, advertised=advertised))
    text = _needs("address", "EnvironmentFile=/etc/fleet/machine.env")
    needs = File("/etc/systemd/system/fleet.service.d/10-address.conf", text)
    again = "Restart=on-failure\nRestartSec=2\n"
    return (script, needs), (_once("address", "This machine's addresses", "fleet.service", script, again),)


def drain(region: str, api: str = "") -> tuple[tuple[File, ...], tuple[Unit, ...]]:
    """Drains a machine that its group or the spot market is about to terminate; checked every five seconds. Completes
    the action of the group's lifecycle hook `DRAIN_HOOK` as soon as no unit of fleet runs any more, and that of
    `LAUNCH_HOOK` as soon as fleet has the machine, once in its life. *api*: the URL
    of Auto Scaling, if not AWS's own."""
    at = api or f"https://autoscaling.{region}.amazonaws.com/"
    values = {
        **_REQUEST,
        "token": _SESSION,
        "region": region,
        "api": at,
        "hook": DRAIN_HOOK,
        "deregister_sec": DEREGISTER_SEC,
    }
    script = _script("drain", _DRAIN.format(**values))
    launched = Unit("launched.service", _LAUNCHED_UNIT.format(path=script.path, hook=LAUNCH_HOOK))
    service = f"[Unit]\nDescription=Units leave when the machine has to\n\n[Service]\nExecStart={script.path}\n"
    timer = _TIMER.format(description="Whether the machine has to go", when="OnBootSec=60\nOnUnitInactiveSec=5")
    return (script,), (Unit("drain.service", service, enabled=False), Unit("drain.timer", timer), launched)


def login(registry: str, region: str, api: str = "") -> tuple[tuple[File, ...], tuple[Unit, ...]]:
    """Docker's login at an ECR *registry* by the machine's role. It is valid for twelve hours and renewed after six.
    *api*: the URL of ECR, if not AWS's own."""
    at = api or f"https://api.ecr.{region}.amazonaws.com/"
    script = _script("login", _LOGIN.format(**_REQUEST, region=region, registry=registry, api=at))
    again = "Restart=on-failure\nRestartSec=5\n"
    once = _once("registry-login", "Docker's login at the registry", "fleet.service", script, again)
    text = once.text.replace("RemainAfterExit=yes\n", "")
    timer = _TIMER.format(description="Renews the registry's login", when="OnUnitInactiveSec=6h")
    return (script,), (Unit(once.name, text), Unit("registry-login.timer", timer))


def _needs(unit: str, check: str) -> str:
    return _NEEDS.format(unit=f"{unit}.service", check=check)


def _script(name: str, text: str) -> File:
    return File(f"{_BIN}{name}", text, mode=0o755)


def _once(name: str, description: str, before: str, script: File, more: str) -> Unit:
    text = _ONCE.format(description=description, before=before, path=script.path, more=more)
    return Unit(f"{name}.service", text)
