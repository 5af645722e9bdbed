"""Going back: whether, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.discovery.documents import Release
from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.mode import Mode
from fleetcaptain.release.images import ImageState
from fleetcaptain.release.repository import LastRollback, Releases
from fleetcaptain.release.rollback import (
    RequestedRollback,
    images_of,
    obstacles,
    order_back,
    rollback_command,
    rollback_target,
    unknown_release,
)
from fleetcaptain.release.service_release import Part, parts_of_manifest
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.unit_texts import unit_hash
from tests.unit.release.example_releases import release

FILE = UnitFile.parse("[Service]\nExecStart=/bin/true\n")
WITH_IMAGE = FILE.with_image("web@sha256:1")
FULL = WITH_IMAGE.text
V1 = release("v1", web=unit_hash(FULL))
SERVICES = "abcdef"


def part(service: str, *requires: str) -> Part:
    """A service that requires others."""
    return Part(service, FILE, 1, Mode.ROLLING, requires=requires)


def test_a_release_whose_texts_and_images_are_there_can_be_gone_back_to() -> None:
    """An image of which nothing is known is no obstacle."""
    for state in (ImageState.THERE, ImageState.UNKNOWN):
        assert obstacles(V1, {unit_hash(FULL): FULL}, {"web@sha256:1": state}) == ()


def test_every_obstacle_is_told() -> None:
    """The service, and what is missing of it."""
    (lost,) = obstacles(V1, {}, {})
    assert "web: etcd no longer has the text of its unit" in lost
    assert "no longer has the text" in lost
    told = obstacles(V1, {unit_hash(FULL): "forged"}, {"web@sha256:1": ImageState.GONE})
    assert "was changed in etcd" in told[0]
    assert "web: the image web@sha256:1 is gone from the registry" in told[1]
    assert obstacles(replace(V1, unfinished=True), {}, {}) == ("it has never been available as a whole",)


def test_a_text_of_another_stack_is_an_obstacle() -> None:
    """Its units would not be ours. Who does not know the stack cannot tell."""
    texts = {unit_hash(FULL): FULL}
    (problem,) = obstacles(V1, texts, {}, ownership=Ownership("shop", "shop/dev"))
    assert problem == "web: its unit has no mark of FleetCaptain, so no stack could remove it"


@pytest.mark.parametrize(
    ("pinned", "environ", "tag", "after"),
    [
        ("", {RequestedRollback.VARIABLE: "v1"}, "v1", "The next `pulumi up` deploys the Fleetfile again."),
        ("v0", {RequestedRollback.VARIABLE: "v1"}, "v1", "The next `pulumi up` deploys v0, which the stack's settings"),
        ("v0", {}, "v0", "instead of the Fleetfile. To deploy the Fleetfile again, run `pulumi config rm"),
    ],
)
def test_a_rollback_is_of_one_deployment_or_of_the_settings(
    pinned: str, environ: dict[str, str], tag: str, after: str
) -> None:
    """It says what comes after it."""
    requested = RequestedRollback.of(pinned, environ)
    assert requested is not None
    assert requested.tag == tag
    assert after in requested.notice
    assert RequestedRollback.of("", {}) is None


def test_the_command_names_the_stack_as_pulumi_does() -> None:
    """Without its project; with it where an organization comes before."""
    assert rollback_command("v1", "acme/shop/prod") == "captain rollback v1 --stack acme/shop/prod"
    assert rollback_command("v1", "shop/dev") == "captain rollback v1 --stack dev"
    assert rollback_command("v1", "") == "captain rollback v1"


def test_an_unknown_release_is_refused_with_those_there_are() -> None:
    """The last one first, and only those that were available."""
    known = Releases((V1, release("v2", web="w2"), release("v3", unfinished=True, web="w3")))
    assert "Choose one of v2, v1" in str(unknown_release("v9", known))
    assert "Deploy a release first" in str(unknown_release("v9", Releases()))


def test_a_manifest_gives_its_parts_back() -> None:
    """The image apart from the text; a service of every machine has no number of instances."""
    everywhere = replace(V1.services["web"], mode=Mode.PER_MACHINE, count=3)
    manifest = replace(V1, services={"web": replace(V1.services["web"], count=3), "agent": everywhere})
    parts, images = parts_of_manifest(manifest, {unit_hash(FULL): WITH_IMAGE})
    assert [(one.service, one.unit, one.instances) for one in parts] == [("web", FILE, 3), ("agent", FILE, 1)]
    assert images == {"web": "web@sha256:1", "agent": "web@sha256:1"}
    assert parts[0].entry(WITH_IMAGE, images["web"]) == manifest.services["web"]


def test_images_are_asked_for_once() -> None:
    """Many services and releases share one."""
    assert images_of([V1, V1, release("v2", web="w2", db="d")]) == ("db@sha256:1", "web@sha256:1")


def test_who_requires_goes_back_before_what_is_required() -> None:
    """But what does not run has to be there first."""
    parts = [part("web", "db", "cache"), part("db"), part("cache")]
    assert order_back(parts, {"web", "db"}) == {"web": ("cache",), "db": ("web",), "cache": ()}


def test_what_does_not_run_comes_before_what_follows_its_machine() -> None:
    """fleet places no unit before the one that it is to be beside; one that runs is there already."""
    beside = replace(part("cache"), unit=UnitFile.parse(f"{FILE.text}\n[X-Fleet]\nMachineOf=web@1.service\n"))
    assert order_back([part("web"), beside], set()) == {"web": (), "cache": ("web",)}
    assert order_back([part("web"), beside], {"web"}) == {"web": (), "cache": ()}


def test_the_proxy_goes_back_after_the_services_that_it_leads_to() -> None:
    """Whether they run or come back: a route has servers when it begins."""
    routes = "Route=http 80 - /a web -\nRoute=http 80 - / api -\nRoute=tcp 90 - - web -"
    proxy = replace(part("proxy"), unit=UnitFile.parse(f"{FILE.text}\n[X-FleetCaptain]\n{routes}\n"))
    assert order_back([proxy, part("web"), part("db")], {"proxy"}) == {"proxy": ("web",), "web": (), "db": ()}
    assert order_back([proxy, part("web"), part("api")], {"proxy", "web"})["proxy"] == ("web", "api")


@given(
    st.lists(st.tuples(st.sampled_from(SERVICES), st.sampled_from(SERVICES)), max_size=15),
    st.sets(st.sampled_from(SERVICES)),
)
def test_the_order_never_makes_a_circle(edges: list[tuple[str, str]], running: set[str]) -> None:
    """Whatever requires whatever, as long as that makes none, and whatever runs."""
    requires = {name: tuple(low for high, low in edges if high == name and high < low) for name in SERVICES}
    before = order_back([part(name, *needed) for name, needed in requires.items()], running)
    placed: set[str] = set()
    while len(placed) < len(SERVICES):
        ready = {name for name, others in before.items() if name not in placed and placed.issuperset(others)}
        assert ready, before
        placed |= ready


def test_a_text_that_no_terminal_may_get_is_an_obstacle() -> None:
    """Pulumi would print it. Whoever can write the record can write a text that fits its hash."""
    for odd in ("<{% if a %}", "\x1b]52;c;", "\u202e"):
        text = FULL.replace("/bin/true", f"/bin/true {odd}")
        (why,) = obstacles(release("v1", web=unit_hash(text)), {unit_hash(text): text}, {})
        assert "has characters that cannot be shown" in why


@pytest.mark.parametrize("text", ["[Unit", "note", "", "[Unit]\nA", "[Unit]\nA=\ud800\n", "\0", FULL + "[X\n"])
def test_a_text_that_is_no_units_is_an_obstacle(text: str) -> None:
    """Of its own release; the list of all releases names it and goes on."""
    (why,) = obstacles(V1, {unit_hash(FULL): text}, {})
    assert "was changed in etcd" in why


def _dated(day: int, *, unfinished: bool = False) -> Release:
    tag = f"v{day}"
    return replace(release(tag, unfinished=unfinished, web=tag), when=f"2030-01-0{day}T00:00:00+00:00")


# As etcd has them after a rollback from v3 to v2, which moved v2 to the end.
KEPT = (_dated(1), _dated(3), _dated(4, unfinished=True), _dated(2))


def _target(releases: Releases, tag: str | None = None, *changed: str) -> str:
    return rollback_target(releases, tag, changed, "back {}".format).tag


@pytest.mark.parametrize(
    ("known", "chosen"),
    [
        (Releases(KEPT, "v3", "v2"), "v2"),
        (Releases(KEPT, "v3", "v2", "v4"), "v3"),
        # A rollback that was interrupted, from a release that was deployed, or whose deployment failed.
        (Releases(KEPT, "v3", "v2", "v2", rollback=LastRollback("v2", "v3")), "v2"),
        (Releases(KEPT, "v3", "v2", "v3", rollback=LastRollback("v3", "v4")), "v3"),
        # A deployment of a release that was complete before.
        (Releases(KEPT, "v3", "v2", "v2"), "v3"),
        (Releases(KEPT, "v2", "v3", "v4", rollback=LastRollback("v2", "v3")), "v2"),
        # Another rollback than the one that made it current.
        (Releases(KEPT, "v3", "v2", rollback=LastRollback("v2", "v3")), "v2"),
        (Releases(KEPT, "v3", "v1", "v4", rollback=LastRollback("v2", "v3")), "v3"),
    ],
)
def test_the_default_comes_before_what_was_deployed_last(known: Releases, chosen: str) -> None:
    """Whether that succeeded or not, and a rollback goes on to where it began to go."""
    assert _target(known, None, "web") == chosen


def test_after_a_rollback_the_release_has_to_be_named() -> None:
    """The one before is the one that was left: the same command must not go there."""
    known = Releases(KEPT, "v2", "v3", rollback=LastRollback("v2", "v3"))
    with pytest.raises(ReleaseRefused) as refused:
        _target(known)
    assert str(refused.value).splitlines() == [
        "Cannot choose a release: v2 is the current one because of a rollback from v3. Nothing was changed.",
        "  If that rollback was interrupted, continue it with `back v2`.",
        "  To go back further, run `back v1`.",
        "  To go forward again, run `back v3`.",
    ]
    assert _target(known, "v2") == "v2"


def test_only_a_newer_complete_release_is_forward() -> None:
    """Not one that failed, nor one that was left for a newer one."""
    for known in (
        Releases(KEPT, "v3", "v2", rollback=LastRollback("v3", "v4")),
        Releases(KEPT, "v3", "v2", rollback=LastRollback("v3", "v2")),
    ):
        with pytest.raises(ReleaseRefused) as refused:
            _target(known)
        assert "go forward" not in str(refused.value)
        assert "To go back further, run `back v2`." in str(refused.value)


def test_further_back_is_an_older_release() -> None:
    """Of the first one there is none, though others were deployed before it as well."""
    with pytest.raises(ReleaseRefused, match="To go back further, run `back v1`"):
        _target(Releases(KEPT, "v2", "v3"), "v2")
    with pytest.raises(ReleaseRefused) as refused:
        _target(Releases(KEPT, "v1", "v3"), "v1")
    assert "further" not in str(refused.value)
