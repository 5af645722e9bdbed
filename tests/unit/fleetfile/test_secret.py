"""What looks like a secret is refused wherever it stands in a Fleetfile, and not shown; what only sounds so passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile.keywords import PARSERS
from fleetcaptain.fleetfile.secret import secret_in
from fleetcaptain.fleetfile.values import Build
from tests.unit.fleetfile.written import app, mistakes, service

# Stands for the secret. No message may have it.
HIDDEN = "hunter2S3"

REFUSED_NAMES = """
PASSWORD DB_PASSWORD POSTGRES_PASSWORDS DBPASSWORD MYSQL_ROOT_PASSWORD PGPASSWORD DB_PASSWD db_password dbPassword
spring.datasource.password DB_PASS PASS REDISCLI_DB_PASS DBPASS MYSQL_PWD DB_PW SSH_PASSPHRASE WIFI_PSK SECRET
CLIENT_SECRET JWT_SECRETS clientSecret SECRET_KEY SECRET_KEY_BASE AWS_SECRET_ACCESS_KEY TOKEN GITHUB_TOKEN authToken
API_KEY APIKEY apiKey API_KEYS ENCRYPTION_KEY PRIVATE_KEY STRIPE_KEY AccountKey SENTRY_DSN DSN DATABASE_DSN
CREDENTIALS AWS_CREDENTIALS DB_CREDENTIAL DB_CREDS authKey MASTERKEY SIGNING_KEYS HASH_SALT PUBLIC_KEY_PASSPHRASE
HTTP_PROXY_PASS COSMOS_PRIMARY_KEY PAGERDUTY_ROUTING_KEY NO_REPLY_EMAIL_PASSWORD NO_REPLY_TOKEN REPUBLIC_API_KEY
DISALLOW_TOKEN WORKLOAD_CREDENTIAL
"""

HARMLESS_NAMES = """
PUBLIC_KEY VAPID_PUBLIC_KEY STRIPE_PUBLISHABLE_KEY KEYBOARD KEYBOARD_LAYOUT MONKEY HOTKEY KEY KEYS KEY_PREFIX KEYSPACE
CACHE_KEY SORT_KEY PRIMARY_KEYS PASSENGER PASSENGER_APP_ENV COMPASS BYPASS PASSIVE PASSWORDLESS PASSWORD_MIN_LENGTH
DB_PASSWORD_FILE TOKEN_TTL MAX_TOKENS TOKENIZER BROKEN_LINKS SECRET_NAME SECRETARY SACRED AWS_ACCESS_KEY_ID API_KEY_FILE
DSN_TIMEOUT PWDLESS NO_PASSWORD NO_AUTH_TOKEN PROXY_PASS proxy_pass ROUTING_KEY CREDENTIAL_HELPER AUTHOR QUEUE
ALLOW_EMPTY_PASSWORD SKIP_TOKEN COOKIE BASALT NUXT_PUBLIC_API_KEY
"""

# Variables of well-known images and frameworks that hold a secret, with the image or framework.
REAL_SECRETS = {
    "postgres": "POSTGRES_PASSWORD PGPASSWORD",
    "mysql, mariadb": "MYSQL_ROOT_PASSWORD MARIADB_PASSWORD MYSQL_PWD",
    "mongo": "MONGO_INITDB_ROOT_PASSWORD",
    "rabbitmq": "RABBITMQ_DEFAULT_PASS RABBITMQ_ERLANG_COOKIE",
    "redis": "REDIS_PASSWORD",
    "influxdb": "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN",
    "minio": "MINIO_ROOT_PASSWORD MINIO_SECRET_KEY",
    "grafana": "GF_SECURITY_ADMIN_PASSWORD GF_SECURITY_SECRET_KEY",
    "wordpress": "WORDPRESS_DB_PASSWORD WORDPRESS_AUTH_KEY WORDPRESS_NONCE_SALT",
    "keycloak": "KEYCLOAK_ADMIN_PASSWORD",
    "hasura": "HASURA_GRAPHQL_ADMIN_SECRET",
    "airflow": "AIRFLOW__CORE__FERNET_KEY",
    "tailscale": "TS_AUTHKEY",
    "oauth2-proxy": "OAUTH2_PROXY_COOKIE_SECRET",
    "Rails, Devise": "SECRET_KEY_BASE RAILS_MASTER_KEY DEVISE_PEPPER",
    "Django": "DJANGO_SECRET_KEY EMAIL_HOST_PASSWORD",
    "Laravel, Symfony": "APP_KEY APP_SECRET",
    "Phoenix": "RELEASE_COOKIE",
    "AWS": "AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
    "vendors": "DD_API_KEY NEW_RELIC_LICENSE_KEY TWILIO_AUTH_TOKEN STRIPE_API_KEY",
    "tools": "NPM_TOKEN GITHUB_TOKEN SSHPASS BORG_PASSPHRASE SENTRY_DSN SMTP_PASS",
}
# And such as only sound so, with a usual value.
REAL_SETTINGS = {
    "MYSQL_ALLOW_EMPTY_PASSWORD": "always",
    "ALLOW_EMPTY_PASSWORD": "yes",
    "MARIADB_RANDOM_ROOT_PASSWORD": "1",
    "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": "if-new",
    "POSTGRES_PASSWORD_FILE": "/run/secrets/db",
    "POSTGRES_HOST_AUTH_METHOD": "trust",
    "PGPASSFILE": "/etc/pgpass",
    "RABBITMQ_DEFAULT_USER": "shop",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    "GOOGLE_APPLICATION_CREDENTIALS": "/etc/gcp.json",
    "GIT_ASKPASS": "/usr/bin/askpass",
    "SSH_AUTH_SOCK": "/run/agent",
    "CONNECT_KEY_CONVERTER": "org.apache.kafka.connect.storage.StringConverter",
    "KAFKA_SSL_KEYSTORE_LOCATION": "/etc/kafka.jks",
    "NEXT_PUBLIC_SUPABASE_ANON_KEY": "eyJhbGciOi",
    "VITE_STRIPE_PUBLISHABLE_KEY": "pk_live_1",
    "VAPID_PUBLIC_KEY": "BPzx",
    "SSL_CERTIFICATE_KEY": "/etc/ssl/shop.key",
    "ROUTING_KEY": "orders",
    "AMQP_BINDING_KEY": "orders.*",
    "DYNAMODB_PARTITION_KEY": "id",
    "JWT_EXPIRES_IN": "1h",
    "OAUTH_CLIENT_ID": "shop",
    "PASSENGER_APP_ENV": "production",
    "OLDPWD": "/srv",
    "DATABASE_URL": "postgres://db.example.org/shop",
}

REFERENCES = ["$DB_PASSWORD", "${DB_PASSWORD}", "$$DB_PASSWORD", "$${DB_PASSWORD}", "${DB_PASSWORD:?missing}", "$1"]
REFERENCES += ["${CREDENTIALS_DIRECTORY}/db", "$(cat /run/secrets/db)", "`cat /run/secrets/db`"]
SWITCHES = ["", "true", "False", "yes", "off", "none", "1"]

URLS = [
    f"postgres://app:{HIDDEN}@db.example.org:5432/shop",
    f"redis://:{HIDDEN}@10.0.0.1",
    f"amqp://app:{HIDDEN}@a,amqp://app:{HIDDEN}@b/vhost?x=1#y",
    f"mongodb+srv://app:%40{HIDDEN}@cluster0.example.org/?retryWrites=true",
]
PLAIN_URLS = [
    "postgres://db.example.org:5432/shop",
    "postgres://app@db.example.org:5432/shop",
    "postgres://app:$DB_PASSWORD@db.example.org/shop",
    "postgres://app:${DB_PASSWORD}@db.example.org/shop",
    "http://[::1]:8080/@me",
    "http://example.org:80/users/@me?next=a:b@c",
    "git+ssh://git@example.org:acme/shop.git",
    "mailto:ops@example.org",
]

SECRET_LINES = [
    *(f"{dash}{name}{sep}{HIDDEN}" for dash in ("-", "--") for name in ("password", "db-password") for sep in "= "),
    f'--token "{HIDDEN}" serve',
    f"serve --api-key   '{HIDDEN}'",
    f"redis-server --requirepass {HIDDEN} --masterauth {HIDDEN}",
    f"java -Dspring.datasource.password={HIDDEN} -jar a.jar",
    f"sh -c 'DB_PASSWORD={HIDDEN} exec serve'",
    f'sh -c "export DB_PASSWORD=\\"{HIDDEN}\\"; serve"',
    f"serve 'host=db dbname=shop password={HIDDEN}'",
    f"serve 'Server=db;Uid=app;Pwd={HIDDEN};'",
    f'serve \'{{"user": "app", "password": "{HIDDEN}"}}\'',
    f'curl -d \'{{"Authorization": "Basic {HIDDEN}"}}\' http://a',
    f'serve "{{\\"password\\":\\"{HIDDEN}\\"}}"',
    f"curl http://a/hook?access_token={HIDDEN}",
    f"curl -H 'Authorization: Bearer {HIDDEN}' http://a",
    f"curl -H 'X-Api-Key: {HIDDEN}' http://a",
    f"serve -----BEGIN RSA PRIVATE KEY-----{HIDDEN}",
    f"--password {HIDDEN}_TOKEN=x",
    f"DB_PASSWORD=a/{HIDDEN}-TOKEN=x",
    *(f"serve --db {url}" for url in URLS),
]
PLAIN_LINES = [
    "serve --password-file /run/secrets/db --token-ttl 60",
    "docker login --username app --password-stdin",
    "serve --password",
    "serve --ask-password --port 80",
    "serve --ask-password && serve --ask-password | tee /log",
    "serve --no-password app",
    "serve --api-key=/etc/shop/api.key --tls-key /etc/ssl/shop.key",
    "sort --key 2 --key=3",
    "ffmpeg -pass 1 -i a",
    "pip install token==1.0",
    "echo the password: none is needed",
    'curl -H "Authorization: Bearer $TOKEN" http://a',
    'sh -c \'test "$TOKEN" = x || exit 1; serve --password "$DB_PASSWORD"\'',
    "sh -c 'serve --token=$(cat /run/secrets/token)'",
    "nginx -g 'daemon off; proxy_pass http://a;'",
    "bundle exec resque QUEUE=important",
    'serve \'{"password": null, "token": {"ttl": 60}, "secret":null}\'',
    "grep -c token= /log",
    *(f"serve --db {url}" for url in PLAIN_URLS),
]

# Where a line can be, as Fleetfile text. Each takes a line of a shell or of docker.
PLACES = [
    "command=['sh', '-c', {0!r}]",
    "docker_args=['--health-cmd', Literal({0!r})]",
    "ready=Http(headers={{'X-Line': {0!r}}})",
    "start=[{0!r}]",
    "before_start='/bin/sh '+{0!r}",
    "reload=['/bin/true', {0!r}]",
    "ready=Command({0!r})",
    "unit={{'X-Line': {0!r}}}",
    "service=[('SyslogIdentifier', {0!r})]",
    "service={{'SyslogIdentifier': ['/bin/true', {0!r}]}}",
    "x_fleet={{'Replaces': {0!r}}}",
    "description={0!r}",
    "env={{'LINE': {0!r}}}",
]

REFUSED = [
    *(f"env={{'A_URL': {url!r}}}" for url in URLS),
    f"env={{'DB_PASSWORD': '{HIDDEN}'}}",
    "env={'DB_PASSWORD': 12345}",
    f"docker_args=['-e', 'DB_PASSWORD={HIDDEN}']",
    f"docker_args=['-e DB_PASSWORD={HIDDEN}']",
    f"docker_args=['-eDB_PASSWORD={HIDDEN}']",
    f"docker_args='serve --password {HIDDEN}'.split(' ')",
    f"docker_args=['--env', 'DB_PASS={HIDDEN}']",
    f"docker_args=['--env=SENTRY_DSN={HIDDEN}']",
    f"docker_args=['-e', 'DATABASE_URL={URLS[0]}']",
    f"docker_args=['--label', 'token={HIDDEN}']",
    f"service={{'Environment': 'DB_PASSWORD={HIDDEN}'}}",
    f"service={{'Environment': ['A=b', 'A=b \"DB_PASSWORD={HIDDEN} x\"']}}",
    f"service=[('Environment', 'A=b DB_PASSWORD={HIDDEN}')]",
    f"service={{'SetCredential': 'db:{HIDDEN}'}}",
    f"ready=Http('/health?token={HIDDEN}')",
    f"versions=['token={HIDDEN}']",
    *(
        f"{keyword}=['serve', '--token', {value}]"
        for keyword in ("command", "docker_args")
        for value in (f"'{HIDDEN}'", f"Literal('{HIDDEN}')")
    ),
    f"command='serve --token {HIDDEN}'",
    f"command=Expand('serve --token {HIDDEN}')",
    f"env={{'DB_PASSWORD': Expand('{HIDDEN}')}}",
    f"ready=Http(headers={{'Authorization': 'Bearer {HIDDEN}'}})",
    f"ready=Http(headers={{'X-Api-Key': '{HIDDEN}'}})",
    f"ready=Http('/', None, None, {{'X-Token': Literal('{HIDDEN}')}})",
]
ACCEPTED = [
    "env={'DB_PASSWORD_FILE': '/run/secrets/db', 'REQUIRE_TOKEN': True, 'API_TOKEN': ''}",
    "env={'GOOGLE_APPLICATION_CREDENTIALS': '/etc/gcp.json', 'TLS_KEY': '~/tls.key', 'OTHER_KEY': 'tls.pem'}",
    "env={'PWD': '/srv', 'DATABASE_URL': 'postgres://app@db/shop'}",
    "docker_args=['--env-file', '/etc/shop.env', '-e', 'DB_PASSWORD', '--net=host']",
    "docker_args=['-e', 'DB_PASSWORD', '-eTOKEN', '--label', 'role=token']",
    "ready=Http(headers={'Authorization': Expand('Bearer ${TOKEN}'), 'X-Token': Expand('${TOKEN}')})",
    "env={'DB_PASSWORD': Expand('${DB_PASSWORD}')}",
    "service={'EnvironmentFile': '/etc/shop.env', 'LoadCredential': 'db:/etc/db', 'PassEnvironment': 'DB_PASSWORD'}",
    "service={'Environment': 'TLS_KEY=%d/tls.key', 'KeyringMode': 'private'}",
    "before_start=['/bin/serve --ask-password', '/bin/true']",
    "volumes=['/etc/token:/token:ro']",
]

# What a keyword refuses for another reason too: that message must not show the value.
MISTAKEN = [
    f"env=['DB_PASSWORD={HIDDEN}']",
    f"env='DB_PASSWORD={HIDDEN}'",
    f"env={{'DB_PASSWORD': ['{HIDDEN}']}}",
    f"docker_args='-e DB_PASSWORD={HIDDEN}'",
    f"volumes=['DB_PASSWORD={HIDDEN}']",
    f"machine_metadata='a=b=DB_PASSWORD={HIDDEN}'",
    f"ready='{URLS[0]}'",
    f"image='{URLS[0]}'",
    f"ports=['password={HIDDEN}']",
    f"conflicts=['--token {HIDDEN}']",
]


def checked(folder: Path, arguments: str) -> None:
    """The service is refused for one secret, with what to do, and without a part of it."""
    problems = mistakes(folder, f'Service("web", {arguments})')
    assert ["looks like a secret" in problem for problem in problems] == [True], problems
    assert "pulumi config set --secret fleetcaptain:secrets." in problems[0]
    assert HIDDEN not in problems[0], problems[0]


@pytest.mark.parametrize("name", REFUSED_NAMES.split())
def test_the_name_of_a_secret_is_recognized(name: str) -> None:
    """As a variable, an assignment, an option and a member."""
    assert 'If it is not a secret, write Plain("...")' in str(secret_in("env", {name: HIDDEN}, ()))
    for line in (f"{name}={HIDDEN}", f"--{name} {HIDDEN}", f"--env={name}={HIDDEN}", f'{{"{name}":"{HIDDEN}"}}'):
        what = str(secret_in("command", f"serve {line} more", ()))
        assert "looks like a secret" in what, line
        assert HIDDEN not in what


@pytest.mark.parametrize("name", HARMLESS_NAMES.split())
def test_a_name_that_only_sounds_so_passes(name: str) -> None:
    """In all the same places."""
    assert secret_in("env", {name: HIDDEN}, ()) is None
    for line in (f"{name}={HIDDEN}", f"--{name} {HIDDEN}", f"--env={name}={HIDDEN}", f'{{"{name}":"{HIDDEN}"}}'):
        assert secret_in("command", f"serve {line} more", ()) is None, line


@pytest.mark.parametrize("name", " ".join(REAL_SECRETS.values()).split())
def test_the_secret_of_a_well_known_image_is_recognized(name: str) -> None:
    """By the rule for its family; no image is known to it."""
    assert secret_in("env", {name: HIDDEN}, ())


@pytest.mark.parametrize(("name", "value"), REAL_SETTINGS.items())
def test_the_setting_of_a_well_known_image_passes(name: str, value: str) -> None:
    """With a value that it usually has."""
    assert secret_in("env", {name: value}, ()) is None


@pytest.mark.parametrize(
    ("keyword", "value", "advice"),
    [
        (
            "env",
            {"DB_PASS": HIDDEN},
            'Declare it as secrets=["DB_PASS"] and set it by `pulumi config set --secret fleetcaptain:secrets.DB_PASS`'
            '. If it is not a secret, write Plain("...")',
        ),
        (
            "env",
            {"spring.datasource.password": HIDDEN},
            'Declare it as secrets=["SPRING_DATASOURCE_PASSWORD"] and set it by `pulumi config set --secret '
            'fleetcaptain:secrets.SPRING_DATASOURCE_PASSWORD`. If it is not a secret, write Plain("...")',
        ),
        (
            "command",
            f"serve --api-key {HIDDEN}",
            'Declare it as secrets=["API_KEY"] and set it by `pulumi config set --secret fleetcaptain:secrets.API_KEY`'
            '. If it is not a secret, add not_secret=["api-key"]',
        ),
        (
            "image",
            Build(args={"NPM_TOKEN": HIDDEN}),
            'images keep their build arguments. Declare it as Build(secrets=["NPM_TOKEN"]) and set it by `pulumi '
            'config set --secret fleetcaptain:secrets.NPM_TOKEN`. If it is not a secret, write Plain("...")',
        ),
        (
            "command",
            f"serve {URLS[0]}",
            'Declare it as secrets=["NAME"] and set it by `pulumi config set --secret fleetcaptain:secrets.NAME`',
        ),
    ],
)
def test_the_advice_fits_the_place(keyword: str, value: object, advice: str) -> None:
    """A secret of a service, or of a build; and how to say that it is none."""
    assert str(secret_in(keyword, value, ())).endswith(advice)


def test_a_plain_value_is_no_secret(tmp_path: Path) -> None:
    """In env and in build arguments; it is used as it is, and a value beside it is still examined."""
    spec = service(tmp_path, "env={'HASH_KEY': Plain('%i'), 'A_URL': Plain('x://a:b@c')}")
    assert spec.env == (("A_URL", "x://a:b@c"), ("HASH_KEY", "%i"))
    assert {type(value) for _, value in spec.env} == {str}
    built = service(tmp_path, "image=Build(args={'HASH_KEY': Plain('id')})").image
    assert built == Build(args=(("HASH_KEY", "id"),))
    checked(tmp_path, f"env={{'HASH_KEY': Plain('id'), 'DB_PASS': '{HIDDEN}'}}")


@pytest.mark.parametrize(
    "arguments",
    [
        "command=Plain('serve')",
        "description=Plain('a')",
        "ready=Http(headers={'X-Token': Plain('a')})",
        "docker_args=[Plain('--init')]",
        "image=Plain('redis')",
        "volumes=[Plain('data:/d')]",
    ],
)
def test_a_plain_value_elsewhere_is_refused(tmp_path: Path, arguments: str) -> None:
    """Nothing else is examined by its name alone."""
    problems = "".join(mistakes(tmp_path, f'Service("web", {arguments}, not_secret=["X-Token"])'))
    assert "Plain(...) is only for values of env and of Build(args=)" in problems


def test_a_plain_value_elsewhere_is_examined(tmp_path: Path) -> None:
    """It hides no secret."""
    checked(tmp_path, f"command=Plain('serve --token {HIDDEN}')")


@pytest.mark.parametrize("value", [*REFERENCES, *SWITCHES])
def test_a_value_that_is_no_secret_passes(value: str) -> None:
    """A reference to where the secret is, or a switch."""
    assert secret_in("env", {"DB_PASSWORD": value}, ()) is None
    for line in (f"DB_PASSWORD={value}", f'--password "{value}"', f"--token={value}", f'{{"password":"{value}"}}'):
        assert secret_in("command", f"serve {line}", ()) is None, line


@pytest.mark.parametrize("value", ["$ecret", "$A!x9", "a$B", "/b64+ab/cd==", "12345", "/run/secrets/db"])
def test_a_value_that_is_almost_a_reference_is_none(value: str) -> None:
    """A password may have any character, and a path is one only for what names files."""
    assert secret_in("env", {"DB_PASSWORD": value}, ())
    assert secret_in("env", {"AWS_SECRET_ACCESS_KEY": value}, ())


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_in_a_line_is_refused(tmp_path: Path, place: str) -> None:
    """Whichever keyword the line is given to."""
    services = (f'Service("web{at}", {place.format(line)})' for at, line in enumerate(SECRET_LINES))
    problems = mistakes(tmp_path, ",\n".join(services))
    assert [line for at, line in enumerate(SECRET_LINES) if f"'web{at}'" not in "".join(problems)] == []
    assert len(problems) == len(SECRET_LINES)
    assert [problem for problem in problems if "looks like a secret" not in problem or HIDDEN in problem] == []


@pytest.mark.parametrize("place", PLACES)
def test_a_line_without_a_secret_passes(tmp_path: Path, place: str) -> None:
    """Whichever keyword it is given to; what no shell, or no unit, would understand is refused as that."""
    services = (f'Service("web{at}", {place.format(line)})' for at, line in enumerate(PLAIN_LINES))
    problems: list[str] = []
    try:
        app(tmp_path, ",\n".join(services))
    except FleetfileError as error:
        others = ("runs the program without a shell", "is not a unit name")
        problems = [problem for problem in error.problems if not any(other in problem for other in others)]
    assert problems == []


@pytest.mark.parametrize("arguments", [*REFUSED, *MISTAKEN])
def test_a_secret_is_refused_and_not_shown(tmp_path: Path, arguments: str) -> None:
    """Also where the value is a mistake in another way, whose message would show it."""
    checked(tmp_path, arguments)


@pytest.mark.parametrize("arguments", ACCEPTED)
def test_what_refers_to_a_secret_passes(tmp_path: Path, arguments: str) -> None:
    """Files, and variables that are passed on."""
    service(tmp_path, arguments)


def test_a_service_that_is_none_is_not_shown(tmp_path: Path) -> None:
    """It may have anything in it."""
    problems = mistakes(tmp_path, f"{{'name': 'web', 'env': {{'DB_PASSWORD': '{HIDDEN}'}}}}")
    assert any("each entry must be a Service(...), not a dict" in problem for problem in problems)
    assert HIDDEN not in "".join(problems)


@pytest.mark.parametrize(
    "arguments",
    [
        "env={'HASH_KEY': 'id', 'GREETING_URL': 'x://a:b@c'}, not_secret=['HASH_KEY', 'GREETING_URL']",
        "command='serve --hash-key id', not_secret=['--hash-key']",
        "command='serve --hash-key id', not_secret=['hash-key']",
        "docker_args=['-e', 'HASH_KEY=id'], not_secret=['HASH_KEY']",
        "service={'Environment': 'HASH_KEY=id'}, not_secret=['HASH_KEY']",
    ],
)
def test_a_name_can_be_declared_no_secret(tmp_path: Path, arguments: str) -> None:
    """One by one; all others are still refused."""
    service(tmp_path, arguments)
    checked(tmp_path, arguments.partition(", not_secret")[0])
    checked(tmp_path, f"{arguments}, description='DB_PASSWORD={HIDDEN}'")


def test_names_that_are_declared_are_a_list(tmp_path: Path) -> None:
    """As every keyword, it says what it takes."""
    assert any(
        "not_secret: must be a list" in problem for problem in mistakes(tmp_path, 'Service("a", not_secret="A")')
    )


@given(
    st.sampled_from(sorted(PARSERS)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(SECRET_LINES),
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
        max_leaves=6,
    ),
)
def test_any_value_is_looked_at(keyword: str, value: object) -> None:
    """Nothing that a Fleetfile can say makes the search itself fail."""
    assert isinstance(secret_in(keyword, value, ()), str | None)
