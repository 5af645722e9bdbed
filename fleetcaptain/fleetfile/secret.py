"""Finds values in a Fleetfile that look like secrets. Pure.

The values of a Fleetfile become part of unit texts, which fleet, etcd and the records of releases keep and every
container of the cluster can read; images keep build arguments. So recognized secrets are refused; others pass. No
message contains any part of a value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from fleetcaptain.fleetfile.values import Plain

__all__ = ["secret_in"]

# Names are compared as words: DB_PASSWORD for dbPassword, db.password and --db-password.
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[.-]+")
# How the name of a secret ends. A name that only describes one is harmless: TOKEN_TTL, PASSWORD_FILE, ACCESS_KEY_ID.
_SECRET = re.compile(
    r"((PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|(API|ACCESS|AUTH|ENCRYPTION|LICENSE|MASTER|PRIVATE|SECRET|SIGNING)KEY)S?"
    r"|TOKEN|SECRET_KEY_BASE|MASTERAUTH|(ERLANG|RELEASE)_COOKIE"
    r"|(^|_)((DB|USER|ROOT|ADMIN|REQUIRE|SSH)?PASS|PW|PWD|PSK|DSN|CREDS?|SALT|PEPPER)|_KEYS?)$"
)
# Names that end alike, each as whole words: of what frameworks publish (NEXT_PUBLIC_...), of settings that say whether
# a password is needed, and of keys that only identify data. Options of systemd and nginx are whole names: a PROXY_PASS
# with words before it is a proxy's password, the PRIMARY_KEY and ROUTING_KEY of a cloud's account give access to it,
# and NO_REPLY is an account.
_HARMLESS = re.compile(
    r"^(NO|WITHOUT)_(?!REPLY_)|^(?!.*(PASS|SECRET))(.*_)?PUBLIC_|(^|_)(ALLOW|EMPTY|REQUIRE|DISABLE|SKIP)_"
    r"|(^|_)((PUBLISHABLE|ANON|FOREIGN|UNIQUE|PARTITION|SORT|RANGE|BINDING|CACHE|SHARD|INDEX|GROUP|OBJECT|MESSAGE|RECORD"
    r"|DEDUP|IDEMPOTENCY)_KEYS?)$"
    r"|^((PRIMARY|ROUTING)_KEYS?|(LOAD|IMPORT)_CREDENTIAL|PROXY_PASS)$"
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
# These have names of secrets, and refuse anything else without showing it.
_NAMES = ("secrets", "secret_files")
# Where a `Plain` can say that its value is no secret: the keyword, and the field of `Build`.
_MAY_BE_PLAIN = ("env", "args")
_CONFIGURED = "`pulumi config set --secret fleetcaptain:secrets.{}`"


def secret_in(keyword: str, value: Any, declared: Collection[str]) -> str | None:
    """The message about a secret in *value*, the value of *keyword* in a Fleetfile; None if there is none.

    *value* may be of any type, also of one that the keyword refuses. *declared*: names that are declared not secret.
    """
    if keyword in _NAMES:
        return None
    plain = {name.lstrip("-") for name in declared}
    for word, name, text in _texts(keyword, value):
        if name in plain:
            continue
        what, named = (name, name) if _is_secret(name, text) else _first_in(f"{name}: {text}" if name else text, plain)
        if what:
            return f"{what} looks like a secret, and {_advice(word, (named or name).lstrip('-'))}"
    return None


def _advice(keyword: str, name: str) -> str:
    """What to do with a secret *name*, "" for none, in the *keyword* of a service or the field of `Build`."""
    variable = re.sub(r"\W", "_", name if name.isupper() else _WORD_ENDS.sub("_", name).upper()) or "NAME"
    why = "every container of the cluster can read unit texts. Declare it as"
    declared = f'secrets=["{variable}"]'
    if keyword == "args":
        why, declared = "images keep their build arguments. Declare it as", f"Build({declared})"
    way_out = f', add not_secret=["{name}"]' if name else ""
    if keyword in _MAY_BE_PLAIN:
        way_out = ', write Plain("...")'
    ending = f". If it is not a secret{way_out}" if way_out else ""
    return f"{why} {declared} and set it by {_CONFIGURED.format(variable)}{ending}"


def _texts(keyword: str, value: Any) -> Iterator[tuple[str, str, str]]:
    """Each string in *value* with its keyword, or the field that it is in, and its name, "" if it has none. Lines stay
    separate, words of a line are joined. A `Plain` is left out where one may be."""
    if isinstance(value, Mapping):
        yield from _pairs(keyword, value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from _pairs(keyword, (entry for entry in value if _is_pair(entry)))
        entries = [str(entry) for entry in value if not _is_pair(entry)]
        yield keyword, "", (" " if keyword in _WORDS else "\n").join(entries)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _texts(field.name, getattr(value, field.name))
    else:
        yield keyword, "", str(value)


def _pairs(keyword: str, pairs: Any) -> Iterator[tuple[str, str, str]]:
    for name, given in pairs:
        for entry in given if isinstance(given, list | tuple) else [given]:
            if not (isinstance(entry, Plain) and keyword in _MAY_BE_PLAIN):
                yield keyword, str(name), str(entry)


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
