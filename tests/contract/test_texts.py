"""Unit text: what goes in comes out in canonical form, byte by byte, and under the hash that we computed."""

from __future__ import annotations

import pytest

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import parse
from tests.contract.sites import Site
from tests.fakes.unit_texts import canonical, unit_hash

RUN = "ExecStart=/bin/sleep infinity\n"
TEXTS = {
    "quotes": f'[Service]\n{RUN}Environment="A=it\'s" \'B="x"\'\n',
    "unicode": f"[Unit]\nDescription=Gruß, 日本, 🚀, e\u0301\n[Service]\n{RUN}",
    "go-escapes": f"[Unit]\nDescription=<a> & b > c \u2028 d\n[Service]\n{RUN}",
    "backslashes": f"[Service]\n{RUN}Environment=A=\\x2d\\\\n\\t\n",
    "continued": "[Service]\nExecStart=/bin/sh -c 'sleep \\\n  infinity; \\\n\\\n  true'\n",
    "continued-to-the-end": f"[Service]\n{RUN}Environment=A=1 \\\n\n[Install]\nWantedBy=multi-user.target\n",
    "empty-value": f"[Service]\nExecStart=\n{RUN}Environment=\n",
    "spaces": f" [Service] \n\t{RUN.strip()}  \nEnvironment =  A=1\u3000\n\n\n",
    "comments": f"# one\n[Service]\n; two \\\nstill two\n{RUN}#three\n",
    "sections-twice": f"[Service]\n{RUN}[Unit]\nDescription=x\n[Service]\nRestart=no\n[Unit]\nDocumentation=man:x\n",
    "same-name-twice": f"[Service]\nExecStartPre=/bin/b\nExecStartPre=/bin/a\n{RUN}ExecStartPre=/bin/b\n",
    "equals-and-percent": f"[Service]\n{RUN}Environment=A==b=%i%%n\n",
    "no-end": f"[Service]\n{RUN.strip()}",
    "windows": f"[Service]\r\n{RUN.strip()}\r\nRestart=no\r\n",
    "own-section": f"[Service]\n{RUN}[X-FleetCaptain]\nApp=a b\nStack=p/s\n",
    "long-line": f"[Service]\n{RUN}Environment=A={'x' * 2033}\n",
    "long-continued": f"[Service]\n{RUN}Environment=" + "\\\n".join([f"A{n}={'x' * 1000} " for n in range(9)]) + "\n",
    "long-text": f"[Service]\n{RUN}" + "".join(f"Environment=A{n}={'x' * 500}\n" for n in range(100)),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_text_reads_back_in_canonical_form(site: Site, case: str) -> None:
    """What we compare is what fleet keeps, alone and in the list."""
    text, name = TEXTS[case], f"text-{case}.service"
    site.client.put(name, UnitFile.parse(text), DesiredState.INACTIVE)
    unit = site.client.unit(name)
    assert unit is not None
    assert unit.text.encode() == canonical(text).encode()
    assert unit.unit_hash == unit_hash(text)
    assert site.client.units() == (unit,)


@pytest.mark.parametrize("case", TEXTS)
def test_a_text_that_was_put_is_the_same_text_to_fleet(site: Site, case: str) -> None:
    """fleet answers 204 to the put of a text whose hash is the one it keeps, 201 when it replaces it."""
    name = f"same-{case}.service"
    site.client.put(name, UnitFile.parse(TEXTS[case]), DesiredState.INACTIVE)
    unit = site.client.unit(name)
    assert unit is not None
    options = [{"section": each.section, "name": each.name, "value": each.value} for each in parse(unit.text)]
    body = {"options": options, "desiredState": "inactive"}
    assert site.call("PUT", f"/units/{name}", body).status_code == 204


def test_a_text_in_another_form_never_is_the_same_text_to_fleet(site: Site) -> None:
    """fleet hashes what it is given before it trims it: hence every text is canonical before it is sent."""
    options = [{"section": "Service", "name": "ExecStart", "value": " /bin/true "}]
    body = {"options": options, "desiredState": "inactive"}
    assert [site.call("PUT", "/units/untrimmed.service", body).status_code for _ in range(3)] == [201] * 3


def test_states_carry_our_hash(site: Site) -> None:
    """The machine reports the hash that we compute for every text, so that it tells the new text from the old one."""
    for case, text in TEXTS.items():
        site.client.put(f"hash-{case}.service", UnitFile.parse(text), DesiredState.LOADED)
    wanted = {f"hash-{case}.service": unit_hash(text) for case, text in TEXTS.items()}
    site.wait_for(
        lambda: wanted.items() <= {state.name: state.unit_hash for state in site.client.states()}.items(),
        f"the states of {sorted(wanted)} with our hashes",
    )
