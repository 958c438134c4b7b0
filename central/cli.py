"""``doorward central``: run the service, make its key and first users, run the embedded broker, check the audit."""

import argparse
import asyncio
import contextlib
import gc
import getpass
import logging
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from central import token_cli
from central.agents.bundles import publish_again
from central.app import Central, build
from central.district.directory import ConfigError, load_directory
from central.embedded_broker import BrokerEnded, run_broker
from central.people.accounts import AccountError, Accounts
from central.people.audit import AuditLog
from central.people.roles import Role
from central.records.engine import RecordsError, open_records
from central.settings import DISTRICT_KEY, InfluxSettings, Settings, SettingsError, database_in
from ground.clock import SystemClock
from protocol.mqtt import BrokerAddress
from protocol.signing import SigningKey
from protocol.words import KeyRole

DONE, FAILED, USAGE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of ``doorward central``."""
    commands = parser.add_subparsers(dest="central_command", metavar="COMMAND", required=True)
    _add_run(commands.add_parser("run", help="run the service and the console"))
    user = commands.add_parser("add-user", help="add an account; the password is read from standard input")
    user.add_argument("name")
    user.add_argument("role", choices=[str(role) for role in Role])
    user.add_argument("--generate", action="store_true", help="make a password and print it, once")
    _add_records(user)
    keygen = commands.add_parser("keygen", help="make the district's key; prints what agents must trust")
    keygen.add_argument("--data", type=Path, required=True, help="folder for the key")
    keygen.add_argument("--kid", default="district-1", help="the key's name; give a new key a new name")
    check = commands.add_parser("check", help="check district.yaml and say what it holds")
    check.add_argument("--district", type=Path, required=True)
    token_cli.add_arguments(commands.add_parser("token", help="a badge's token and PIN for district.yaml"))
    broker = commands.add_parser("broker", help="run the embedded broker (no passwords: loopback only)")
    broker.add_argument("--port", type=int, default=1883)
    broker.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS")
    again = commands.add_parser(
        "republish", help="give the same configurations newer versions, for central's next start"
    )
    again.add_argument("--agent", type=_site_agent, metavar="SITE/AGENT", help="of this agent alone")
    _add_records(again)
    _add_records(commands.add_parser("audit-verify", help="say whether the audit log was changed"))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--district", type=Path, required=True, help="district.yaml")
    _add_records(parser)
    parser.add_argument("--broker", type=_host_port, default=("127.0.0.1", 1883), metavar="HOST:PORT")
    parser.add_argument("--broker-username", metavar="NAME")
    parser.add_argument("--broker-password-file", type=Path, metavar="FILE")
    parser.add_argument("--broker-ca", type=Path, metavar="FILE", help="authority of the broker's certificate: TLS")
    parser.add_argument("--broker-cert", type=Path, metavar="FILE", help="our own certificate, for the broker")
    parser.add_argument("--broker-key", type=Path, metavar="FILE")
    parser.add_argument("--http", type=_host_port, default=("127.0.0.1", 8080), metavar="HOST:PORT")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="serve HTTPS with this certificate")
    parser.add_argument("--tls-key", type=Path, metavar="FILE")
    parser.add_argument("--influx-url", metavar="URL", help="feed this time-series server, too")
    parser.add_argument("--influx-token-file", type=Path, metavar="FILE")
    parser.add_argument("--influx-org", default="doorward")
    parser.add_argument("--influx-bucket", default="doorward")
    parser.add_argument("--verbose", action="store_true", help="log more")


def _add_records(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder of the district's key and records")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--database", metavar="URL", help="keep the records there, as postgresql+psycopg://…")
    where.add_argument(
        "--database-file", type=Path, metavar="FILE", help="a file that holds the URL and its password"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand. 0: done, 1: failed, 2: wrong usage or configuration."""
    run_it: dict[str, Callable[[argparse.Namespace], int]] = {
        "run": _run,
        "add-user": _add_user,
        "keygen": _keygen,
        "check": _check,
        "token": token_cli.run,
        "broker": _broker,
        "republish": _republish,
        "audit-verify": _audit_verify,
    }
    try:
        return run_it[arguments.central_command](arguments)
    except (SettingsError, ConfigError, RecordsError, AccountError) as error:
        _say(f"doorward central {arguments.central_command}: {error}")
        return USAGE


def _run(arguments: argparse.Namespace) -> int:
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = _settings(arguments)
    _tighten(settings.data)
    return asyncio.run(_serve(settings))


def _tighten(data: Path) -> None:
    """Make the data folder its owner's alone: others who can enter it can read the records."""
    try:
        if data.is_dir() and data.stat().st_mode & 0o077:
            data.chmod(0o700)
    except OSError as error:
        # It may be a mount, or belong to another user: no reason to leave a district without its central.
        logging.getLogger(__name__).warning(
            "%s can be read by others and cannot be made 0700: %s; do it by hand", data, error.strerror
        )


async def _serve(settings: Settings) -> int:
    central = build(settings)
    gc.collect()
    gc.freeze()  # the district stays as it is: no collection need scan it again
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, central.stop)
    announcing = asyncio.ensure_future(_announce(central, settings))
    try:
        await central.run()
    except Exception:  # any part: the log has the details, the exit code the failure
        logging.getLogger(__name__).exception("central ends, a part of it failed")
        return FAILED
    finally:
        announcing.cancel()
    return DONE


async def _announce(central: Central, settings: Settings) -> None:
    await central.ready.wait()
    totals = central.fleet.totals
    _say(f"doorward central: {central.address} ({totals.doors} doors, {totals.agents} agents)")
    if not await asyncio.to_thread(central.accounts.users):
        _say(f"nobody can sign in yet: doorward central add-user NAME ROLE --data {settings.data}")


def _settings(arguments: argparse.Namespace) -> Settings:
    for one, other in (("tls_cert", "tls_key"), ("broker_cert", "broker_key"), ("influx_url", "influx_token_file")):
        if (getattr(arguments, one) is None) is not (getattr(arguments, other) is None):
            names = " and ".join(f"--{name.replace('_', '-')}" for name in (one, other))
            raise SettingsError(f"{names} belong together: give both, or neither")
    host, port = arguments.broker
    broker = BrokerAddress(
        host=host,
        port=port,
        username=arguments.broker_username,
        password_file=arguments.broker_password_file,
        ca_file=arguments.broker_ca,
        cert_file=arguments.broker_cert,
        key_file=arguments.broker_key,
    )
    influx = arguments.influx_url and InfluxSettings(
        arguments.influx_url,
        _secret(arguments.influx_token_file),
        arguments.influx_org,
        arguments.influx_bucket,
    )
    return Settings(
        district=arguments.district,
        data=arguments.data,
        broker=broker,
        http_host=arguments.http[0],
        http_port=arguments.http[1],
        database_url=_records_url(arguments),
        influx=influx or None,
        tls_cert=arguments.tls_cert,
        tls_key=arguments.tls_key,
    )


def _add_user(arguments: argparse.Namespace) -> int:
    with _records(arguments) as engine:
        password = secrets.token_urlsafe(15) if arguments.generate else _password()
        Accounts(engine, SystemClock()).add_user(
            arguments.name, Role(arguments.role), password, f"{getpass.getuser()} at the command line"
        )
    if arguments.generate:
        print(password)
    _say(f"added {arguments.name}, {arguments.role}")
    return DONE


def _keygen(arguments: argparse.Namespace) -> int:
    arguments.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = arguments.data / DISTRICT_KEY
    key = SigningKey.generate(arguments.kid)
    try:
        key.save(path)
    except FileExistsError:
        raise SettingsError(
            f"{path} is there already, and every agent trusts it; move it away to make another"
        ) from None
    trusted = key.trusted(KeyRole.DISTRICT)
    _say(f"the district's key is in {path}; keep it secret. Put this into every agent's agent.yaml:")
    print(f"trust:\n  - kid: {trusted.kid}\n    x: {trusted.x}")
    return DONE


def _check(arguments: argparse.Namespace) -> int:
    inventory = load_directory(arguments.district)
    print(
        f"{arguments.district}: {inventory.name}: {len(inventory.sites)} sites, {len(inventory.agents)} agents, "
        f"{len(inventory.doors)} doors, {len(inventory.credentials)} credentials"
    )
    return DONE


def _broker(arguments: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    where = f"{arguments.listen}:{arguments.port}"
    try:
        run_broker(arguments.listen, arguments.port, stop, lambda: _say(f"doorward central broker: {where}"))
    except ModuleNotFoundError as error:
        raise SettingsError(f"the Python package {error.name!r} is missing: pip install 'doorward[demo]'") from None
    except OSError as error:
        raise SettingsError(f"cannot listen on {where}: {error}; choose another --port") from None
    except BrokerEnded as error:
        _say(f"doorward central broker: {error}")
        return FAILED
    return DONE


def _republish(arguments: argparse.Namespace) -> int:
    with _records(arguments) as engine:
        who = f"{getpass.getuser()} at the command line"
        count = publish_again(engine, SystemClock().utc_ms(), who, arguments.agent)
    if not count:
        whose = "" if arguments.agent is None else f" of {'/'.join(arguments.agent)}"
        _say(f"no configuration{whose} has been published from these records yet: nothing to do")
        return FAILED
    _say(f"configurations that get newer versions once central is started again: {count}")
    return DONE


def _audit_verify(arguments: argparse.Namespace) -> int:
    with _records(arguments) as engine:
        verdict = AuditLog(engine).verify()
    if not verdict.ok:
        _say(f"the audit log was changed: entry {verdict.first_bad} is the first that does not fit")
        return FAILED
    print(f"{verdict.entries} entries, unchanged; the last one's hash is {verdict.head}")
    return DONE


@contextlib.contextmanager
def _records(arguments: argparse.Namespace) -> Iterator[Engine]:
    url = _records_url(arguments)
    if url is None:
        arguments.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        url = database_in(arguments.data)
    engine = open_records(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _records_url(arguments: argparse.Namespace) -> str | None:
    if arguments.database_file is not None:
        return _secret(arguments.database_file)
    url: str | None = arguments.database
    if url is not None:
        with contextlib.suppress(ArgumentError):  # open_records reports a bad URL
            if make_url(url).password is not None:
                raise SettingsError("a password in --database can be read by others; give --database-file instead")
    return url


def _secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}: expected HOST:PORT, such as 127.0.0.1:1883")
    return host.strip("[]"), int(port)


def _site_agent(text: str) -> tuple[str, str]:
    site, _, agent = text.partition("/")
    if not site or not agent:
        raise argparse.ArgumentTypeError(f"{text!r}: expected SITE/AGENT, such as lincoln/east")
    return site, agent


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
