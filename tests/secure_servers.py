"""Real mongods as Atlas runs them: TLS only, logins required, and users with no more rights than they need."""

import contextlib
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus

import trustme
from pymongo import MongoClient
from servers import Mongod, replica_set, running

DATABASE = "pbm_demo"
"""The database that the users' roles are for."""

PASSWORD = "Zebra9@/w:rd%41 ?#[ü]&'$\\+"
"""Contains characters that must be percent-encoded in a URI, and a percent sign that changes if decoded twice."""

_TESTS = Path(__file__).parent

TRACES = ("Zebra9", "quagga7")
"""Parts of the password and of each user's name that look the same in every encoding."""

ROLES = {
    "owner": [("readWrite", DATABASE), ("dbAdmin", DATABASE)],  # the roles that README asks for
    "writer": [("readWrite", DATABASE)],
    "reader": [("read", DATABASE)],
    "stranger": [("readWrite", "elsewhere")],
}


@dataclass
class SecureServer:
    """A server or replica set with TLS and the users in `ROLES`, all with one password; `primary` accepts writes."""

    primary: Mongod
    authority: Path
    hosts: str
    options: dict[str, str] = field(default_factory=dict)

    def uri(self, user: str = "owner", *, password: str = PASSWORD, **options: str) -> str:
        """The connection string of a user; an option that is "" is omitted."""
        every = {
            "tls": "true",
            "tlsCAFile": self.authority.as_posix(),
            "authSource": "admin",
            **self.options,
            **options,
        }
        query = "&".join(f"{name}={quote_plus(value, safe='/')}" for name, value in every.items() if value)
        return f"mongodb://{_full_name(user)}:{quote_plus(password)}@{self.hosts}/?{query}"

    def root(self) -> MongoClient:
        """A client with all rights; the caller closes it."""
        return self.primary.client(username="root", password=PASSWORD)


@contextlib.contextmanager
def secure_server(folder: Path) -> Iterator[SecureServer]:
    """One mongod with TLS and authentication, for the length of a block."""
    authority, options = _certificates(folder)
    with running(Mongod(folder / "data", ["--auth", *options], client_options=_trusting(authority))) as mongod:
        yield _with_users(SecureServer(mongod, authority, f"localhost:{mongod.port}"))


@contextlib.contextmanager
def secure_replica_set(folder: Path) -> Iterator[SecureServer]:
    """A three-node replica set with TLS and authentication, for the length of a block."""
    authority, options = _certificates(folder)
    key = folder / "key"  # the nodes authenticate to each other with this key
    key.touch(mode=0o600)
    key.write_text("c2VjcmV0cw==" * 8, encoding="ascii")
    options += ["--auth", "--keyFile", str(key)]
    with replica_set(folder / "nodes", options, _trusting(authority)) as cluster:
        hosts = ",".join(node.address for node in cluster.nodes)
        yield _with_users(SecureServer(cluster.primary(), authority, hosts, {"replicaSet": cluster.name}))


def _certificates(folder: Path) -> tuple[Path, list[str]]:
    """A certificate authority that no system trusts, and mongod's options for a certificate that it issued."""
    authority, certificate = folder / "authority.pem", folder / "server.pem"
    folder.mkdir(parents=True, exist_ok=True)
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    issuer.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    options = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(certificate), "--tlsCAFile", str(authority)]
    return authority, [*options, "--tlsAllowConnectionsWithoutCertificates"]


def _trusting(authority: Path) -> dict:
    return {"tls": True, "tlsCAFile": str(authority)}


def _with_users(server: SecureServer) -> SecureServer:
    with server.primary.client() as client:  # with no user yet, the first may be created from this machine
        client.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
    with server.root() as client:
        for user, roles in ROLES.items():
            granted = [{"role": role, "db": database} for role, database in roles]
            client.admin.command("createUser", _full_name(user), pwd=PASSWORD, roles=granted)
    return server


def _full_name(user: str) -> str:
    return f"quagga7-{user}"


def all_that_hangs_on(error: BaseException | None, *, seen: tuple[BaseException, ...] = ()) -> str:
    """What a crash reporter or debugger can show of an error and of every error behind it.

    This includes the texts and the variables of every frame except the tests' own, and errors that Python would hide.
    """
    if error is None or error in seen:
        return ""
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), capture_locals=True)
    passed = [frame for frame in frames if _TESTS not in Path(frame.filename).parents]
    own = [str(error), repr(error), repr(error.args), repr(vars(error))]
    variables = [f"{frame.filename} {frame.name} {frame.locals}" for frame in passed]
    made_from = [all_that_hangs_on(other, seen=(*seen, error)) for other in (error.__cause__, error.__context__)]
    return "\n".join([*own, *variables, *made_from])


def files_with_traces(*folders: Path) -> list[Path]:
    """Files below these folders that contain a trace of a login."""
    marks = [trace.encode() for trace in TRACES]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert files, "there is nothing to search"
    return [file for file in files if any(mark in file.read_bytes() for mark in marks)]
