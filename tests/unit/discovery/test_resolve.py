"""Who sees which instances: a pure question about registrations and releases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.discovery.documents import Registration, Release, ServiceRelease, drained
from fleetcaptain.discovery.instances import Caller, Instance, Registry
from fleetcaptain.discovery.resolve import lookup
from fleetcaptain.errors import NotAvailable

WEB1, WEB2, REDIS1, REDIS2 = "web-one", "web-two", "redis-one", "redis-two"
WEB = Caller(WEB1, "web")


def manifest(tag: str, web: str, redis: str) -> Release:
    """A release of two services; later tags are younger."""
    return Release(tag, {"web": ServiceRelease(web, 2), "redis": ServiceRelease(redis, 1)}, when=f"2030-{tag}")


def redis(unit: str, unit_hash: str, *versions: str, draining: bool = False, service: str = "redis") -> Registration:
    """A registration of redis."""
    connection = {"host": "10.0.0.1", "port": 6379}
    return Registration(
        service, unit, unit_hash, "m", "10.0.0.1", connection=connection, versions=versions, draining=draining
    )


def known(*registrations: Registration, manifests: tuple[Release, ...] = (), current: str = "") -> Registry:
    """What etcd knows; the last manifest is the current release unless said otherwise."""
    return Registry(registrations, manifests, current or (manifests[-1].tag if manifests else ""))


def seen(caller: Caller, there: Registry, service: str = "redis") -> list[tuple[str, bool]]:
    """The units that *caller* sees, and whether they are of its own release."""
    return [(instance.unit, instance.own) for instance in lookup(service, caller, there)]


def test_an_asker_sees_its_own_generation_only() -> None:
    """Both generations run, and each release sees its own."""
    there = known(
        redis("a", REDIS1), redis("b", REDIS2), manifests=(manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2))
    )
    assert seen(WEB, there) == [("a", True)]
    assert seen(Caller(WEB2), there) == [("b", True)]


def test_an_unchanged_asker_sees_both_generations_the_current_first() -> None:
    """It is in both releases; while one takes over from the other it is never left without."""
    releases = (manifest("v1", WEB1, REDIS1), manifest("v2", WEB1, REDIS2))
    there = (redis("a", REDIS2), redis("b", REDIS1))
    assert seen(WEB, known(*there, manifests=releases, current="v1")) == [("b", True), ("a", True)]
    assert seen(WEB, known(*there, manifests=releases, current="v2")) == [("a", True), ("b", True)]
    assert seen(WEB, known(there[0], manifests=releases, current="v1")) == [("a", True)]


def test_declared_versions_come_after_the_own_generation() -> None:
    """An instance that lists the caller's release in its versions serves it too, whatever its content."""
    releases = (manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2))
    there = known(redis("a", REDIS2, "v0", "v1"), redis("b", REDIS1), manifests=releases)
    assert seen(WEB, there) == [("b", True), ("a", False)]
    assert seen(WEB, known(redis("a", REDIS2, "v1"), manifests=releases)) == [("a", False)]


def test_another_generation_is_refused_and_named() -> None:
    """The refusal says who asks, in which release, what is there, and how to make it available."""
    releases = (manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2))
    with pytest.raises(NotAvailable) as refused:
        lookup("redis", WEB, known(redis("b", REDIS2, "v9"), manifests=releases))
    assert str(refused.value) == (
        "redis is not available to web (release v1). Registered: b (unit hash redis-t of release v2, also serves v9). "
        "Deploy redis in that release too, or, if it can serve that release, declare "
        'versions=["v1"] where redis is registered.'
    )


def test_a_long_list_is_cut() -> None:
    """A message is for a person."""
    releases = (manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2))
    there = known(*(redis(f"r{number}", REDIS2) for number in range(8)), manifests=releases)
    with pytest.raises(NotAvailable, match=r"r4 \(.*; and 3 more\. Deploy"):
        lookup("redis", WEB, there)


def test_what_is_not_there_is_refused_with_what_is() -> None:
    """A wrong name is the likeliest reason."""
    with pytest.raises(NotAvailable, match=r"reddis is not available to web \(no release yet\).*registered: redis\)"):
        lookup("reddis", WEB, known(redis("a", REDIS1)))
    with pytest.raises(NotAvailable, match="nothing is registered"):
        lookup("redis", WEB, known())


def test_draining_instances_are_left_out() -> None:
    """They answer still, but are about to go."""
    with pytest.raises(NotAvailable, match="all 1 registered instances are draining"):
        lookup("redis", WEB, known(redis("a", REDIS1, draining=True), manifests=(manifest("v1", WEB1, REDIS1),)))


def test_failing_instances_are_named_with_their_reason() -> None:
    """Alone, and after those of another release."""
    failing = replace(redis("a", REDIS1, draining=True), failing="no answer to GET /alive on container port 80")
    shown = "failing: a (its alive check fails: no answer to GET /alive on container port 80)"
    releases = (manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2))
    with pytest.raises(NotAvailable) as refused:
        lookup("redis", WEB, known(failing, manifests=releases))
    assert str(refused.value) == (
        f"redis is not available to web (release v1): none of its 1 registered instances can be used; {shown}. Look at "
        "its log with `journalctl -u 'redis*'` on its machines."
    )
    with pytest.raises(NotAvailable, match=r"Registered: b \(.*\); failing: a \(.* port 80\)\. Deploy"):
        lookup("redis", WEB, known(failing, redis("b", REDIS2), manifests=releases))
    why = r"2 of 2 instances fail: something that they need may be down, so none is restarted\. Look"
    with pytest.raises(NotAvailable, match=why):
        lookup("redis", WEB, known(failing, replace(failing, unit="b"), manifests=releases))


def test_a_service_under_maintenance_is_left_out() -> None:
    """The error says how to end that."""
    out = replace(redis("a", REDIS1, draining=True), maintenance=True)
    with pytest.raises(NotAvailable) as refused:
        lookup("redis", WEB, known(out, manifests=(manifest("v1", WEB1, REDIS1),)))
    assert str(refused.value) == (
        "redis is not available to web (release v1): it is under maintenance, so its 1 registered instances are out of "
        "discovery. `captain maintenance off redis` ends that."
    )


@pytest.mark.parametrize("mark", ['"failing":"no answer"', '"maintenance":true'])
def test_a_rollout_drains_what_fails_for_good(mark: str) -> None:
    """The machine agent would take its own mark back, and draining with it."""
    text = f'{{"service":"redis","unit":"a","draining":true,{mark}}}'
    assert drained(text) == '{"service":"redis","unit":"a","draining":true}'
    assert Registration.from_json(text) != Registration.from_json(drained(text))


def test_before_the_first_release_everything_is_of_the_coming_one() -> None:
    """The gate waits for services that look each other up before there is any manifest."""
    assert seen(WEB, known(redis("a", REDIS1))) == [("a", True)]


def test_a_coming_generation_sees_itself_first_and_then_the_current_release() -> None:
    """What it asks for may be unchanged, and so be in the current release."""
    there = (redis("a", REDIS1), redis("b", REDIS2), redis("c", "other", "v1"), redis("d", "older"))
    older = manifest("v0", WEB1, "older")
    current = manifest("v1", WEB1, REDIS1)
    assert seen(Caller(WEB2), known(*there, manifests=(older, current))) == [("b", True), ("a", True), ("c", False)]
    assert seen(Caller(WEB2), known(there[0], manifests=(older, current))) == [("a", True)]
    with pytest.raises(NotAvailable):
        lookup("redis", Caller(WEB2), known(there[3], manifests=(older, current)))


def test_what_no_release_names_counts_only_where_there_is_nothing_else() -> None:
    """A coming generation takes over before its release is written; the others must not lose the service."""
    releases = (manifest("v1", WEB1, REDIS1),)
    assert seen(WEB, known(redis("a", REDIS1), redis("b", REDIS2), manifests=releases)) == [("a", True)]
    assert seen(WEB, known(redis("b", REDIS2), manifests=releases)) == [("b", False)]


def test_outside_of_any_unit_the_current_release_is_ones_own() -> None:
    """A person or a script asks as the current release does."""
    releases = (manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2))
    there = known(redis("a", REDIS1), redis("b", REDIS2), manifests=releases, current="v1")
    assert seen(Caller(), there) == [("a", True)]


def test_a_name_that_is_no_service_belongs_to_the_release_of_whoever_registered_it() -> None:
    """An app can register more than its own service's name."""
    releases = (manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2))
    there = known(redis("a", WEB1, service="admin"), redis("b", WEB2, service="admin"), manifests=releases)
    assert seen(WEB, there, "admin") == [("a", True)]


@pytest.mark.parametrize(
    ("connection", "host", "port", "address"),
    [
        ({"host": "h", "port": 1}, "h", 1, "h:1"),
        ({"port": "80"}, "10.0.0.1", 80, "10.0.0.1:80"),
        ({"host": "h", "port": None}, "h", None, "h"),
        ({"host": "h", "port": "http"}, "h", None, "h"),
    ],
)
def test_an_instance_has_an_address(connection: dict[str, object], host: str, port: int | None, address: str) -> None:
    """The connection's own host and port, else the machine's host; what is no number is no port."""
    found = Instance(Registration("web", "u", "c", "m", "10.0.0.1", connection=connection), True)
    assert (found.host, found.port, found.address) == (host, port, address)


def test_the_coming_release_is_the_own_one_of_who_is_only_in_it() -> None:
    """The record says what is coming; what did not change, or has not had its turn, is the current release's."""
    v1, v2 = manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2)
    there = (redis("a", REDIS1), redis("b", REDIS2), redis("c", "leftover"))
    pending = Registry(there, (v1,), "v1", v2)
    assert seen(Caller(WEB2), pending) == [("b", True), ("a", True)]
    assert seen(WEB, pending) == [("a", True)]
    assert seen(WEB, Registry(there[1:2], (v1,), "v1", v2)) == [("b", False)]


def test_an_unchanged_asker_stays_with_the_current_release_until_the_coming_one_is_current() -> None:
    """The cut-over is the moment in which ``current`` moves; before, the coming generation is only a last resort."""
    v1, v2 = manifest("v1", WEB1, REDIS1), manifest("v2", WEB1, REDIS2)
    there = (redis("a", REDIS1), redis("b", REDIS2))
    assert seen(WEB, Registry(there, (v1,), "v1", v2)) == [("a", True)]
    assert seen(WEB, Registry(there[1:], (v1,), "v1", v2)) == [("b", False)]


def test_a_release_that_is_gone_back_to_is_a_coming_one() -> None:
    """On the way back who requires goes first: it finds what is still the newer release's; the others find what
    already is the older one's."""
    releases = (manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS2))
    newer, older = redis("b", REDIS2), redis("a", REDIS1)
    assert seen(WEB, Registry((newer,), releases, "v2", releases[0])) == [("b", True)]
    assert seen(WEB, Registry((newer, older), releases, "v2", releases[0])) == [("a", True), ("b", True)]
    assert seen(Caller(WEB2), Registry((older,), releases, "v2", releases[0])) == [("a", False)]
    with pytest.raises(NotAvailable):
        lookup("redis", WEB, Registry((newer,), releases, "v2"))


def test_what_the_coming_release_shares_with_the_current_one_is_not_coming() -> None:
    """A caller of a third release is refused it as before."""
    v0, v1, v2 = manifest("v0", "web-zero", "redis-zero"), manifest("v1", WEB1, REDIS1), manifest("v2", WEB2, REDIS1)
    with pytest.raises(NotAvailable):
        lookup("redis", Caller("web-zero"), Registry((redis("a", REDIS1),), (v0, v1), "v1", v2))
