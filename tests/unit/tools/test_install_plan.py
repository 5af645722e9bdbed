"""What is used, built, installed, started or asked of a person, from what is found on a machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.found import Engine, Found, Pulumi, numbers
from tools.install_plan import DEBIAN, ENGINE, PYTHON, Step, Verb, only, plan
from tools.pins import BUILDX, DOCKER_BUILD, GO_TOOLS, MACHINE_TOOLS, PULUMI_SET, SCRIPTS, TEST_PROGRAMS
from tools.profile import Profile

ALL_BUILT = frozenset([*(tool.name for tool in GO_TOOLS), SCRIPTS.name])
WHOLE = Found(
    root=True,
    apt=True,
    go="/usr/bin/go",
    built=ALL_BUILT,
    docker="/usr/bin/docker",
    dockerd="/usr/sbin/dockerd",
    buildx="v0.20.0",
    docker_build="/plugins/pulumi-resource-docker-build",
    engine=Engine("28.0.0"),
    base_image=True,
    ssh="/usr/bin/ssh",
    test_programs=frozenset(TEST_PROGRAMS),
    venv=Profile.TESTS,
)
FRESH = Found(root=True, apt=True, go="/usr/bin/go", ensurepip=False)
THEIRS = Pulumi("/usr/bin/pulumi", "v3.300.0", has_host=True)


def steps(found: Found, profile: Profile = Profile.MAIN) -> dict[str, Step]:
    """By name."""
    return {step.name: step for step in plan(found, profile)}


def to_do(found: Found, profile: Profile = Profile.MAIN) -> dict[str, Verb]:
    """What changes something."""
    return {name: step.verb for name, step in steps(found, profile).items() if step.verb is not Verb.USE}


def built(found: Found, profile: Profile) -> set[str]:
    """The tools that are built."""
    return {name for name, verb in to_do(found, profile).items() if verb is Verb.BUILD}


@pytest.mark.parametrize("profile", Profile)
def test_nothing_is_done_on_a_machine_that_has_all(profile: Profile) -> None:
    """A second run changes nothing, and the main job finds all that it needs where the tests were installed."""
    assert to_do(WHOLE, profile) == {}


def test_a_fresh_debian_gets_everything() -> None:
    """Packages by apt, tools from Go, an engine, the base image and the environment."""
    found = to_do(FRESH)
    assert found[DEBIAN] is Verb.INSTALL
    assert found[ENGINE] is Verb.START
    assert found[PYTHON] is Verb.INSTALL
    assert steps(FRESH)[DEBIAN].packages == ("docker.io", "openssh-client", "python3-venv")


def test_what_only_tests_run_is_installed_for_tests() -> None:
    """Programs that the machines of a cluster have, and this computer may lack."""
    lacking = replace(WHOLE, test_programs=frozenset({"chromium", "curl", "openssl"}))
    assert steps(lacking, Profile.TESTS)[DEBIAN].packages == ("jq",)
    assert to_do(lacking, Profile.AWS) == {}


def test_pulumi_is_built_first_and_buildx_after_the_plugin_that_contains_it() -> None:
    """The longest build first; buildx finds all that it needs in the compiler's cache."""
    builds = [step.name for step in plan(FRESH, Profile.MAIN) if step.verb is Verb.BUILD]
    assert builds[0] == "pulumi"
    assert builds.index("docker-buildx") > builds.index("pulumi-resource-docker-build")
    assert BUILDX.module == DOCKER_BUILD.module


def test_each_profile_builds_only_what_it_needs() -> None:
    """fleetctl is for operators on AWS and for tests, the validator is for tests alone."""
    everything = {tool.name for tool in GO_TOOLS}
    assert built(FRESH, Profile.TESTS) == everything
    assert built(FRESH, Profile.AWS) == everything - {"ignition-validate"}
    assert built(FRESH, Profile.MAIN) == everything - {"ignition-validate", "fleetctl"}


@pytest.mark.parametrize(
    ("there", "profile", "installed"),
    [
        (None, Profile.MAIN, True),
        (Profile.MAIN, Profile.MAIN, False),
        (Profile.MAIN, Profile.AWS, True),
        (Profile.AWS, Profile.TESTS, True),
        (Profile.TESTS, Profile.MAIN, False),
    ],
)
def test_an_environment_serves_its_profile_and_the_smaller_ones(
    there: Profile | None, profile: Profile, installed: bool
) -> None:
    """A larger one is added to; nothing is taken away for a smaller one."""
    step = steps(replace(WHOLE, venv=there), profile).get(PYTHON)
    assert (step is not None) is installed
    if step is not None:
        assert step.profile is profile
        assert profile.locks[-1] in step.by_hand


def test_a_machine_with_its_own_pulumi_builds_only_what_machines_run() -> None:
    """Their versions are in no distribution."""
    found = replace(WHOLE, built=frozenset(), pulumi=THEIRS)
    assert built(found, Profile.MAIN) == {tool.name for tool in MACHINE_TOOLS} == {"etcd", "fleetd"}
    assert steps(found)["pulumi"].verb is Verb.USE


@pytest.mark.parametrize(
    ("pulumi", "why"),
    [
        (None, "not on PATH"),
        (replace(THEIRS, version="v3.100.0"), "older than"),
        (replace(THEIRS, has_host=False), "no pulumi-language-python"),
    ],
)
def test_an_unsuitable_pulumi_is_built_anew_and_said_why(pulumi: Pulumi | None, why: str) -> None:
    """With its Python host and the host's scripts."""
    found = steps(replace(WHOLE, built=frozenset(), pulumi=pulumi, docker_build=""))
    assert all(found[tool.name].verb is Verb.BUILD for tool in PULUMI_SET)
    assert found[SCRIPTS.name].verb is Verb.INSTALL
    assert why in found["pulumi"].why


def test_an_older_build_of_ours_goes_when_the_machine_has_its_own() -> None:
    """It would stand before the machine's own on PATH."""
    found = replace(WHOLE, built=frozenset(), stale=frozenset({"pulumi"}), pulumi=THEIRS)
    assert Verb.REMOVE in to_do(found).values()


@pytest.mark.parametrize(
    ("found", "name", "says"),
    [
        (replace(WHOLE, go="", built=frozenset()), "go", "it builds"),
        (replace(WHOLE, root=False, ssh=""), "ssh", "only root may install it"),
        (replace(WHOLE, apt=False, ssh=""), "ssh", "no apt-get"),
        (replace(WHOLE, engine=Engine("1.9.0")), ENGINE, "older than"),
        (replace(WHOLE, engine=Engine(error="permission denied")), ENGINE, "permission denied"),
        (replace(WHOLE, engine=Engine(error="refused", elsewhere=True)), ENGINE, "does not answer: refused"),
        (replace(WHOLE, engine=Engine(error="refused"), root=False), ENGINE, "only root may start it"),
        (replace(WHOLE, engine=Engine(error="refused"), systemd=True), ENGINE, "does not run"),
    ],
)
def test_what_a_person_has_to_do_is_said_with_the_reason_and_the_way(found: Found, name: str, says: str) -> None:
    """Nothing is started or installed behind their back."""
    step = steps(found)[name]
    assert step.verb is Verb.LACK
    assert says in step.why
    assert step.by_hand


def test_every_step_waits_only_for_steps_of_the_same_plan() -> None:
    """One that waits for what is there already would wait for ever."""
    for found in (WHOLE, FRESH, Found()):
        names = [step.name for step in plan(found, Profile.TESTS)]
        for number, step in enumerate(plan(found, Profile.TESTS)):
            assert set(step.after) <= set(names[:number] if step.verb is not Verb.LACK else names)


@pytest.mark.parametrize(("said", "meant"), [("v3.260.0-alpha.1", (3, 260, 0)), ("28.2", (28, 2, 0)), ("unknown", ())])
def test_versions_are_compared_by_their_numbers(said: str, meant: tuple[int, ...]) -> None:
    """Not as texts: 10 is more than 9."""
    assert numbers(said) == meant


def test_the_environment_alone_comes_with_what_it_needs() -> None:
    """For the tests that need no tool: nothing is built, and no engine is started."""
    assert [step.name for step in only(PYTHON, plan(FRESH, Profile.TESTS))] == [DEBIAN, PYTHON]
    assert [step.name for step in only(PYTHON, plan(replace(FRESH, ensurepip=True), Profile.TESTS))] == [PYTHON]
    assert only(PYTHON, plan(WHOLE, Profile.TESTS)) == ()
