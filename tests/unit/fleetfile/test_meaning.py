"""What a Fleetfile means when nothing is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.values import BlueGreen, Build, Port, Rolling
from tests.unit.fleetfile.written import app, mistakes, service

ROLLING = Rolling(min_healthy_sec=10, healthy_deadline_sec=310, progress_deadline_sec=600)
HASH = "[0-9a-f]" * 7
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "behavioral"


def test_a_name_is_enough(tmp_path: Path) -> None:
    """The app's own image, one instance, rolled."""
    spec = service(tmp_path)
    assert (spec.image, spec.instances, spec.rollout, spec.description) == (Build(), 1, ROLLING, "web")


def test_the_inputs_of_a_build_have_one_form(tmp_path: Path) -> None:
    """Whatever the order that they are written in, so that the same inputs are the same image."""
    written = (
        "args={'B': 22, 'A': True}, secrets=['Y', 'X', 'Y'], platforms=['linux/amd64'], only=['b/', './*.py']",
        "args={'A': 'true', 'B': '22'}, secrets=('X', 'Y'), platforms=('linux/amd64',), only=('*.py', 'b')",
    )
    for name in ("a.py", "b/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    meant = Build(
        target="web",
        args=(("A", "true"), ("B", "22")),
        secrets=("X", "Y"),
        platforms=("linux/amd64",),
        only=("*.py", "b"),
    )
    assert {service(tmp_path, f"image=Build(target='web', {arguments})").image for arguments in written} == {meant}


def test_metadata_is_a_mapping_or_lines(tmp_path: Path) -> None:
    """Values of one key in a list, and numbers and bools as in all other mappings."""
    spec = service(tmp_path, "machine_metadata={'region': ['eu', 'us'], 'ssd': True, 'cores': 8}")
    assert spec.machine_metadata == ("region=eu", "region=us", "ssd=true", "cores=8")
    assert (
        service(tmp_path, "machine_metadata=['region=eu', 'region=us']").machine_metadata == spec.machine_metadata[:2]
    )


def test_a_machine_is_known_by_its_metadata(tmp_path: Path) -> None:
    """Beside other metadata, and for a task as well."""
    spec = service(tmp_path, "machine='m1', machine_metadata={'disk': 'ssd'}")
    assert spec.machine_metadata == ("disk=ssd", "name=m1")
    more = 'app="shop", image="acme/shop", tasks=[Task("move", command="x", machine="m1")]'
    (task,) = app(tmp_path, 'Service("web")', more).tasks
    assert task.container.machine_metadata == ("name=m1",)


def test_a_path_in_a_variable_is_mounted(tmp_path: Path) -> None:
    """Only the machine knows what it is."""
    volumes = ["${DATA}:/data", "${DATA}/%i:/data:ro", "data-%i:/data"]
    assert service(tmp_path, f"volumes=[Expand(text) for text in {volumes}]").volumes == tuple(volumes)


@pytest.mark.parametrize(
    "words",
    [
        ["--env-file", "/etc/shop.env", "-v", "data:/data", "-v", "/var/x:/x:ro", "--volume", "/cache"],
        [
            "--mount",
            "type=volume,src=data,dst=/x",
            "--mount",
            "type=bind,src=/a,dst=/b",
            "--mount",
            "type=tmpfs,dst=/t",
        ],
    ],
)
def test_whole_paths_and_names_of_volumes_are_taken(tmp_path: Path, words: list[str]) -> None:
    """Only what would start from a folder is refused."""
    assert service(tmp_path, f"docker_args={words}").docker_args == tuple(words)


def test_units_that_only_the_machine_knows_are_taken(tmp_path: Path) -> None:
    """An instance of a global unit is called after its machine."""
    found = app(
        tmp_path,
        """Service("logs", global_unit=True), Service("db", instances=2),
        Service("web", instances=2, unit={"Wants": "logs@%m.service db@%i.service docker.service"}, after=["db"])""",
    )
    assert len(found.services) == 3


def test_instances_true_is_one_replaced_blue_green(tmp_path: Path) -> None:
    """The original tool's word for it."""
    spec = service(tmp_path, "instances=True")
    assert (spec.instances, spec.rollout) == (
        1,
        BlueGreen(min_healthy_sec=10, healthy_deadline_sec=310, progress_deadline_sec=600),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (80, Port(80)),
        ("80", Port(80)),
        ("8080:80", Port(80, 8080)),
        ("8080-8089:80", Port(80, 8080, 8089)),
        ("127.0.0.1:53:53/udp", Port(53, 53, protocol="udp", address="127.0.0.1")),
        ("53:53/UDP", Port(53, 53, protocol="udp")),
        ("9899/sctp", Port(9899, protocol="sctp")),
        ("[::1]:8080:80", Port(80, 8080, address="::1")),
        ("127.0.0.1::80", Port(80, address="127.0.0.1")),
        (":8080:80", Port(80, 8080)),
        (":80", Port(80)),
        ("8080-8080:80", Port(80, 8080)),
        ("080:80", Port(80, 80)),
    ],
)
def test_ports_are_docker_s(tmp_path: Path, written: object, meant: Port) -> None:
    """As ``docker run -p`` takes them."""
    assert service(tmp_path, f"ports=[{written!r}]").ports == (meant,)


@pytest.mark.parametrize(
    "volume",
    [
        "/mount/data:/data",
        "/mount/data:/data:ro",
        "shop-db-data:/data",
        "shop_1.2-db:/var/lib/x:ro",
        "db:/x:nocopy,ro",
        "/x:/y:rshared,z",
    ],
)
def test_volumes_are_docker_s(tmp_path: Path, volume: str) -> None:
    """A folder of the machine, or a volume by its name."""
    assert service(tmp_path, f"volumes=[{volume!r}]").volumes == (volume,)


@pytest.mark.parametrize(
    ("other", "rule", "glob"),
    [
        ("instances=2", "db", "db@*.service"),
        ("instances=2", "db@1", "db@1.service"),
        ("instances=True", "db", f"db-{HASH}@*.service"),
        ("global_unit=True", "db", "db@*.service"),
        ("instances=1", "someone.service", "someone.service"),
        ("instances=2", "db@*.service", "db@*.service"),
        ("instances=2", "db.service", "db@*.service"),
        ("instances=True", "db@*", f"db-{HASH}@*.service"),
        ("instances=True", "db@*.service", f"db-{HASH}@*.service"),
        ("instances=True", "db@1.service", f"db-{HASH}@1.service"),
        ("instances=1", "%p@*", "%p@*.service"),
        ("instances=1", "db.timer", "db.timer"),
    ],
)
def test_conflicts_name_units(tmp_path: Path, other: str, rule: str, glob: str) -> None:
    """fleet knows no services, so a service's name becomes the glob of its units, generations too."""
    services = f'Service("web", conflicts=["{rule}"]),Service("db", {other})'
    assert app(tmp_path, services).services[0].conflicts == (glob,)


def test_a_single_line_is_a_list_of_one(tmp_path: Path) -> None:
    """Lines may be one text or several."""
    spec = service(tmp_path, 'before_start="/bin/true", after_stop=["/bin/a", "/bin/b"]')
    assert (spec.before_start, spec.after_stop) == (("/bin/true",), ("/bin/a", "/bin/b"))


def test_the_fleetfile_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    """It is Python; what it imports is found in its folder, and forgotten afterwards."""
    (tmp_path / "settings.py").write_text("COUNT = 3\n")
    (tmp_path / "Dockerfile").touch()
    text = "from fleetcaptain import Fleetfile, Service\nimport settings\n"
    text += 'Fleetfile(app="a", image="b", services=[Service("web", instances=settings.COUNT)])\n'
    (tmp_path / "Fleetfile.py").write_text(text)
    assert load(tmp_path).services[0].instances == 3


def test_the_example_has_no_mistakes() -> None:
    """It is what the README deploys."""
    assert [(spec.name, spec.instances) for spec in load(EXAMPLE).services] == [
        ("app_server", 4),
        ("important_queue", 1),
        ("ongoing_queue", 2),
        ("redis", 1),
    ]


@pytest.mark.parametrize(
    "image",
    [
        "redis",
        "redis:7-Alpine",
        "library/redis:7",
        "localhost:5000/a/b__c-d.e:v1",
        "Registry.example.org/team/app@sha256:" + "0" * 64,
        "[::1]:5000/app:1@sha256:" + "a" * 64,
        "jboss/wildfly:10.1.0.Final",
        "gcr.io/google_containers/kube-ui:v1.0",
        "quay.io/coreos/etcd:v2.3.8",
        "redis@sha512:" + "a" * 128,
        "a--b/c_d/e.f:_x.Y-z",
        "HOST:5000/x",
        "a" * 255,
    ],
)
def test_an_image_may_be_any_reference_of_docker_s(tmp_path: Path, image: str) -> None:
    """With a registry, a tag and a digest, or without."""
    assert service(tmp_path, f"image={image!r}").image == image


def test_texts_may_be_of_any_language(tmp_path: Path) -> None:
    """Emoji made by a joiner, accents, and a template's marks where they can be written in another way."""
    spec = service(tmp_path, r"""description="Größe 👩\u200d💻 字", env={"T": "<{% if a %}x{% endif %}>"}""")
    assert (spec.description, spec.env) == ("Größe 👩\u200d💻 字", (("T", "<{% if a %}x{% endif %}>"),))


def test_names_and_globs_of_units_are_systemd_s(tmp_path: Path) -> None:
    """Every character that systemd and fleet take."""
    spec = service(
        tmp_path, r"""after=[r"dev-a\x2db.mount", "a@1:2.service"], conflicts=["web@[0-9]*", "a?b.service"]"""
    )
    assert spec.after == (r"dev-a\x2db.mount", "a@1:2.service")
    assert spec.conflicts == ("web@[0-9]*.service", "a?b.service")


@pytest.mark.parametrize("keyword", ["after", "requires"])
@pytest.mark.parametrize(
    "kind",
    ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"],
)
def test_a_service_may_wait_for_a_unit_of_any_type_of_systemd(tmp_path: Path, keyword: str, kind: str) -> None:
    """Its name goes into the unit as it is."""
    unit = f"dev-sdb.{kind}"
    assert getattr(service(tmp_path, f"{keyword}=[{unit!r}]"), keyword) == (unit,)


def test_a_type_alone_is_no_name_of_a_unit(tmp_path: Path) -> None:
    """systemd would drop it."""
    (problem,) = mistakes(tmp_path, 'Service("web", after=[".service"])')
    assert "after: '.service' is neither a service of this Fleetfile nor a systemd unit" in problem
