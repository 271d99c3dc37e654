"""A directory that is ours alone, and the files that are made, looked at and set aside in it.

SQLite follows symlinks and makes its files 0644 (trust.md §6), so the file is looked at and made here, before SQLite opens
it. All of it rests on the directory: real, mine, and writable by nobody else. Then nobody can put anything in the way
between the look and the opening, and a symlink beside the file (`-wal`) could only be our own.

The directory is a gate, too. Making a file and setting a broken one aside are several steps (`state.db`, `-wal`, `-shm` go
by path), and SQLite opens those by path as well, one after the other. So whoever opens holds the gate *shared*, whoever
makes or mends holds it *alone*; nobody holds it longer than that. It is an flock on the directory itself: the kernel
drops it when its holder dies, and it is not a POSIX lock. Those belong to SQLite, and closing any descriptor of the
database would drop them all, which is why nothing here ever opens an existing database file.
"""

import fcntl
import os
import stat
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from llmr.errors import StateBusy, StateUnusable

_OURS_ALONE: Final = 0o077  # mode bits a file of ours has none of
_WRITABLE_BY_OTHERS: Final = 0o022
_LEVELS_MADE: Final = 3  # .local, state, llmr; a home that is not there is not ours to make
_GATE_PAUSE_S: Final = 0.005
_GATE_TRIES: Final = 200  # 1 s: only a first run or a mending ever waits here, never a run that finds its file
SIDE_FILES: Final = ("-wal", "-shm", "-journal")  # https://www.sqlite.org/tempfiles.html

# Where several machines, or a host and its guest, see one file: the -shm file of WAL is not shared memory there.
_NETWORK_TYPES: Final = frozenset(
    "9p afs beegfs ceph cifs coda davfs drvfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs prl_fs pvfs2"  # noqa: SIM905 - a page of quotes otherwise
    " smb3 smbfs vboxsf virtiofs vmhgfs".split()
)


class Unwritable(StateUnusable):
    """The directory is ours, and still nothing can be made in it."""


@final
class PrivateDirectory:
    """An open directory that is real, mine and writable by nobody else. Every method may raise StateUnusable."""

    def __init__(self, path: Path) -> None:
        """Opens `path`; makes it, 0700, where up to three levels are missing."""
        self.path = path
        with _translated(path):
            self._descriptor = _opened(path)
            try:
                self._check()
            except BaseException:
                self.close()
                raise

    def _check(self) -> None:
        facts = os.fstat(self._descriptor)
        if facts.st_uid != os.geteuid():
            raise StateUnusable(f"{self.path} belongs to uid {facts.st_uid}, not to us")
        if facts.st_mode & _WRITABLE_BY_OTHERS:
            raise StateUnusable(f"{self.path} may be written to by others; chmod go-w it")
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise Unwritable(f"{self.path} is read-only")

    def share(self) -> None:
        """Pass the gate together with others who only open. Raises StateBusy after 1 s."""
        self._lock(fcntl.LOCK_SH)

    def own(self) -> None:
        """Pass the gate alone, to make or mend. What was seen before is to be looked at again. Raises StateBusy after 1 s."""
        self._lock(fcntl.LOCK_EX)

    def _lock(self, kind: int) -> None:
        for _ in range(_GATE_TRIES):
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_GATE_PAUSE_S)
            except OSError:  # NFS locks no directory; going on ungated is what is left
                return
            else:
                return
        raise StateBusy(f"another process has been making or mending files in {self.path} for a while")

    def look(self, name: str) -> int | None:
        """The inode of the file `name`, None: there is none. Refuses symlinks, directories, foreign files; narrows to 0600."""
        path = self.path / name
        with _translated(path):
            try:
                facts = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return None
            if not stat.S_ISREG(facts.st_mode):
                raise StateUnusable(f"{path} is {_kind(facts.st_mode)}, not a file")
            if facts.st_uid != os.geteuid():
                raise StateUnusable(f"{path} belongs to uid {facts.st_uid}, not to us")
            if facts.st_mode & _OURS_ALONE:
                os.chmod(name, 0o600, dir_fd=self._descriptor)
            return facts.st_ino

    def create(self, name: str) -> None:
        """An empty file `name`, 0600 whatever the umask. It must not be there."""
        flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY
        with _translated(self.path / name):
            descriptor = os.open(name, flags, 0o600, dir_fd=self._descriptor)
            try:
                os.fchmod(descriptor, 0o600)
            finally:
                os.close(descriptor)

    def remove(self, names: Iterable[str]) -> None:
        """Remove those of `names` that are there."""
        for name in names:
            with _translated(self.path / name), suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._descriptor)

    def rename(self, name: str, new_name: str) -> None:
        """`name` becomes `new_name`, in place of what was there."""
        with _translated(self.path / name):
            os.rename(name, new_name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def set_aside(self, name: str, at: float) -> str:
        """Rename a database and what lies beside it to `<name>.corrupt-<utc>`, which is returned. `at`: wall-clock seconds.

        The side files go first: whoever is killed between two renames leaves no old WAL to a new database.
        """
        stem = f"{name}.corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(at))}"
        aside = next(
            each for n in count() if self._is_free(each := f"{stem}.{n}" if n else stem)
        )  # the same second may have seen another
        for suffix in (*SIDE_FILES, ""):
            if not self._is_free(name + suffix):
                self.rename(name + suffix, aside + suffix)
        return aside

    def _is_free(self, name: str) -> bool:
        return not os.path.lexists(self.path / name)

    def is_on_network(self) -> bool:
        """Whether WAL is unsafe here. Where nothing can be known (no /proc), False."""
        device = os.fstat(self._descriptor).st_dev
        if os.major(device) != 0:  # a block device of this machine; saves reading the mounts
            return False
        try:
            mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
        except OSError:
            return False
        return _is_network_type(_file_system_type(mounts, f"{os.major(device)}:{os.minor(device)}"))

    def close(self) -> None:
        """Let go of the directory and with it of the gate."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


@contextmanager
def _translated(path: Path) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise StateUnusable(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _opened(path: Path) -> int:
    """A descriptor of the directory `path` itself, made where it is missing."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        _make(path)
        return os.open(path, flags)
    except OSError as error:
        if path.is_symlink():
            raise StateUnusable(f"{path} is a symlink; name the directory it points to") from error
        raise


def _make(path: Path) -> None:
    missing: list[Path] = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    if len(missing) > _LEVELS_MADE:
        raise StateUnusable(f"{missing[-1]} does not exist")
    for each in reversed(missing):
        with suppress(FileExistsError):  # another first run was faster
            each.mkdir(mode=0o700)
            each.chmod(0o700)  # whatever the umask took away


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symlink"
    return "a directory" if stat.S_ISDIR(mode) else "a device, pipe or socket"


def _is_network_type(kind: str) -> bool:
    return kind in _NETWORK_TYPES or kind.startswith("fuse.")


def _file_system_type(mountinfo: str, device: str) -> str:
    """The type of the file system `device` (major:minor), "" if it is not mounted here. proc(5), /proc/pid/mountinfo."""
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split(" ", 3)[2:3] == [device]:
            return source.split(" ", 1)[0]
    return ""
