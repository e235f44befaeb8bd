"""A real mongod as Atlas runs one: TLS only, a login for everybody, and users with no more rights than they need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus

import trustme
from servers import Mongod, running

DATABASE = "pbm_demo"
"""The database that the users' roles are for."""

PASSWORD = "p@ss/w:rd%41 ?#[ü]&'$\\+"
"""Holds what must be percent-encoded in a URI, and a percent sign that decodes to something else when taken twice."""

ROLES = {
    "owner": [("readWrite", DATABASE), ("dbAdmin", DATABASE)],  # what README asks for
    "writer": [("readWrite", DATABASE)],
    "reader": [("read", DATABASE)],
    "stranger": [("readWrite", "elsewhere")],
}


@dataclass
class SecureServer:
    """A running mongod with TLS and a user for each of `ROLES`, all with the same password."""

    mongod: Mongod
    authority: Path
    name: str = "localhost"
    options: dict[str, str] = field(default_factory=dict)

    def uri(self, user: str = "owner", *, password: str = PASSWORD, **options: str) -> str:
        """The connection string of a user; an option that is "" is left out."""
        every = {"tls": "true", "tlsCAFile": self.authority.as_posix(), "authSource": "admin", **options}
        query = "&".join(f"{name}={quote_plus(value, safe='/')}" for name, value in every.items() if value)
        return f"mongodb://{quote_plus(user)}:{quote_plus(password)}@{self.name}:{self.mongod.port}/?{query}"


@contextlib.contextmanager
def secure_server(folder: Path) -> Iterator[SecureServer]:
    """A TLS server with authentication, for the length of a block."""
    authority, certificate = folder / "authority.pem", folder / "server.pem"
    folder.mkdir(parents=True, exist_ok=True)
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    issuer.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    options = ["--auth", "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(certificate)]
    options += ["--tlsCAFile", str(authority), "--tlsAllowConnectionsWithoutCertificates"]
    mongod = Mongod(folder / "data", options, client_options={"tls": True, "tlsCAFile": str(authority)})
    with running(mongod):
        with mongod.client() as client:  # nobody is there yet: the first user may be made from this machine
            client.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
        with mongod.client(username="root", password=PASSWORD) as client:
            for user, roles in ROLES.items():
                granted = [{"role": role, "db": database} for role, database in roles]
                client.admin.command("createUser", user, pwd=PASSWORD, roles=granted)
        yield SecureServer(mongod, authority)
