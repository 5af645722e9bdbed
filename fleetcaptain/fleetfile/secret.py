"""Finds values in a Fleetfile that look like secrets. Pure.

The values of a Fleetfile become part of unit texts, which fleet, etcd and the records of releases keep and every
container of the cluster can read. So recognized secrets are refused; others pass. No message contains any part of a
value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

__all__ = ["secret_in"]

# Names are compared as words: DB_PASSWORD for dbPassword, db.password and --db-password.
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[.-]+")
# How the name of a secret ends. A name that only describes one is harmless: TOKEN_TTL, PASSWORD_FILE, ACCESS_KEY_ID.
_SECRET = re.compile(
    r"((PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|APIKEY|ACCESSKEY|PRIVATEKEY|SECRETKEY)S?"
    r"|TOKEN|SECRET_KEY_BASE|MASTERAUTH|(^|_)(PASS|(DB|USER|ROOT|ADMIN|REQUIRE)PASS|PW|PWD|PSK|DSN|CREDS?)|_KEYS?)$"
)
_HARMLESS = re.compile(
    r"^(NO|WITHOUT)_|(^|_)((PUBLIC|PUBLISHABLE|PRIMARY|FOREIGN|PARTITION|SORT|ROUTING|CACHE|SHARD|INDEX|GROUP|OBJECT)_KEYS?"
    r"|(LOAD|IMPORT)_CREDENTIAL|PROXY_PASS)$"
)
# These may name a file, or PWD a folder. A name with SECRET does not: its value may begin with a slash.
_MAY_BE_PATH = re.compile(r"(?!.*SECRET).*(KEYS?|CREDENTIALS?|CREDS?|PWD)")
_PATH = re.compile(r"(~|\.{1,2}|%[A-Za-z])?(/[\w.@%-]+)+/?|[\w-]+\.(pem|key|crt|json)")
# A switch, and a reference that a shell or systemd replaces.
_SWITCH = re.compile(r"(true|false|yes|no|on|off|none|null|[0-9])?[,;)}\]]*", re.IGNORECASE)
_REFERENCE = re.compile(r"(\$\$?(\{\w[^}]*\}|[A-Z_][A-Z0-9_]*|[0-9@])|\$\(.*|`.*)(/\S*)?")
_FOUND = re.compile(
    r"""
      ://[^\s/?#@"']*:(?P<url>[^\s/?#@"']+)@
    | -----BEGIN[ ](?P<key>[A-Z ]*PRIVATE[ ]KEY)-----
    | ["']?(?P<header>Authorization)(?:\\?["'])?\s*:\s*(?:\\?["'])?(?:Bearer|Basic|Token)\s+
    | (?<![\w$.-])(?P<assigned>-{0,2}[A-Za-z_][\w.-]*)=(?!=)
    | (?<![\w$.-])(?P<option>--?[A-Za-z][\w.-]*)[ \t]+(?!-)
    | ["'](?P<member>[A-Za-z_][\w.-]*)(?:\\?["'])?\s*:\s*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VALUE = re.compile(r"""\\?"(?P<double>[^"\\]*)|\\?'(?P<single>[^'\\]*)|(?P<bare>[^\s"'\\;&,|<>{\[][^\s"'\\]*)?""")
# Lists of words: the value of an option may be the next entry.
_WORDS = ("command", "docker_args")
_ADVICE = (
    "every container of the cluster can read unit texts. Put it into a file on the machines and pass "
    'docker_args=["--env-file", "/etc/..."]'
)


def secret_in(keyword: str, value: Any, declared: Collection[str]) -> str | None:
    """The message about a secret in *value*, the value of *keyword* in a Fleetfile; None if there is none.

    *value* may be of any type, also of one that the keyword refuses. *declared*: names that are declared not secret.
    """
    plain = {name.lstrip("-") for name in declared}
    for name, text in _texts(keyword, value):
        if name in plain:
            continue
        what, named = (name, name) if _is_secret(name, text) else _first_in(f"{name}: {text}" if name else text, plain)
        if what:
            named = (named or name).lstrip("-")
            way_out = f'. If it is not a secret, add not_secret=["{named}"]' if named else ""
            return f"{what} looks like a secret, and {_ADVICE}{way_out}"
    return None


def _texts(keyword: str, value: Any) -> Iterator[tuple[str, str]]:
    """Each string in *value* with its name, "" if it has none. Lines stay separate, words of a line are joined."""
    if isinstance(value, Mapping):
        yield from _pairs(value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from _pairs(entry for entry in value if _is_pair(entry))
        entries = [str(entry) for entry in value if not _is_pair(entry)]
        yield "", (" " if keyword in _WORDS else "\n").join(entries)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _texts(keyword, getattr(value, field.name))
    else:
        yield "", str(value)


def _pairs(pairs: Any) -> Iterator[tuple[str, str]]:
    for name, given in pairs:
        yield from ((str(name), str(entry)) for entry in (given if isinstance(given, list | tuple) else [given]))


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, list | tuple) and len(entry) == 2  # noqa: PLR2004  a pair


def _first_in(text: str, plain: Collection[str]) -> tuple[str, str]:
    """The label of the first secret in *text*, and its name, "" for none. All after it may be part of its value."""
    for found in _FOUND.finditer(text):
        if found["url"] and not _REFERENCE.fullmatch(found["url"]):
            return "the password in a URL", ""
        if found["key"]:
            return "the private key", ""
        name = found["header"] or found["assigned"] or found["option"] or found["member"]
        if not name or name.lstrip("-") in plain:
            continue
        given = _given(text, found.end())
        if _is_secret(name, given) or (found["header"] and not _stands_for_it(given)):
            return name, name
    return "", ""


def _given(text: str, at: int) -> str:
    """The value that begins in *text* at *at*, without its quotes."""
    found = _VALUE.match(text, at)
    return found[found.lastgroup] if found and found.lastgroup else ""


def _is_secret(name: str, value: str) -> bool:
    words = _WORD_ENDS.sub("_", name.lstrip("-")).upper()
    if not _SECRET.search(words) or _HARMLESS.search(words) or _stands_for_it(value):
        return False
    return not (_MAY_BE_PATH.fullmatch(words) and _PATH.fullmatch(value))


def _stands_for_it(value: str) -> bool:
    return bool(_SWITCH.fullmatch(value) or _REFERENCE.fullmatch(value))
