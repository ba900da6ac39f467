"""Downloads of published tables: resumed, bounded, checked, and in place only when whole.

A file grows as `NAME.part`; `NAME.part.json` beside it keeps what identifies
the server's version (RFC 9110: ETag, Last-Modified), so that a later attempt
asks for the rest with Range and If-Range. Nothing else than a complete and
checked file ever bears the final name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from entrepot.catalogues.addresses import FileAddress
from entrepot.core.errors import DataError
from entrepot.core.version import __version__
from entrepot.sources.archive import require_file

if TYPE_CHECKING:
    import requests

BLOCK = 1 << 16
STEP = 1 << 20  # an attempt that gets this much further is no failed attempt
MOST = 20_000_000_000  # bytes of a file whose size nobody published
MAX_REDIRECTS = 10
MAX_WAIT = 60.0  # seconds that a server may ask to be waited for
REDIRECTS = (301, 302, 303, 307, 308)
FULL = (errno.ENOSPC, errno.EDQUOT)
ZIP = b"PK\x03\x04"
MAGIC = {
    ".zip": ZIP,
    ".xlsx": ZIP,
    ".xlsb": ZIP,
    ".gz": b"\x1f\x8b",
    ".7z": b"7z\xbc\xaf\x27\x1c",
}
PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml")


class Progress(Protocol):
    """Told after every block how many bytes there are, and of how many (None: not known)."""

    def __call__(self, done: int, total: int | None, /) -> None:
        """Take note; an exception raised here ends the download."""


@dataclass(frozen=True, slots=True)
class _Job:
    file: FileAddress
    target: Path
    most: int
    timeout: float
    progress: Progress | None

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def note(self) -> Path:
        return self.target.with_name(self.target.name + ".part.json")

    @property
    def by_hand(self) -> str:
        hint = f" ({self.file.manual.rstrip('.')})" if self.file.manual else ""
        return f"open {self.file.landing} in a browser and put the file at {self.target}{hint}"


@dataclass(frozen=True, slots=True)
class _Version:
    """The server's file that a part is the beginning of."""

    url: str
    etag: str
    modified: str
    total: int | None

    @property
    def validator(self) -> str:
        """For If-Range; empty where the version cannot be told from another one."""
        return self.modified if self.etag.startswith("W/") or not self.etag else self.etag


class _CutError(Exception):
    """An attempt that may succeed when repeated."""

    def __init__(self, why: str, wait: float | None = None, offline: bool = False) -> None:
        super().__init__(why)
        self.wait, self.offline = wait, offline


def download(
    file: FileAddress,
    folder: Path,
    *,
    progress: Progress | None = None,
    timeout: float = 30.0,
    attempts: int = 4,
    max_bytes: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """A published file in `folder`, under the catalogue's name for it; its path.

    A file that is there already is not fetched again, provided that its
    checksum is the published one or, where none is published, that it is of its
    kind; one that a user put there by hand is taken likewise. An interrupted
    download goes on where it stopped.

    Parameters
    ----------
    timeout : seconds to wait for a connection, and between bytes.
    attempts : how often in a row an attempt may get nowhere.
    max_bytes : bound on the size; twice the published one, or 20 GB, if not given.
    sleep : waits between attempts.

    Raises DataError, which says what to do by hand, when the file cannot be
    had, is too large, is not of its kind or has another checksum than published.

    """
    most = max_bytes or (2 * file.size if file.size else MOST)
    job = _Job(file, Path(folder) / file.name, most, timeout, progress)
    if job.target.exists() or job.target.is_symlink():
        require_file(job.target)
        if fault := _fault(file, job.target):
            raise DataError(
                f"{job.target} is there already, but it is {fault}; move it away to download it "
                f"again. A table that was revised since: {file.landing}"
            )
        return job.target
    with _open_part(job) as out:
        try:
            _fetch(job, out, attempts, sleep)
            with _disk(job):
                os.fsync(out.fileno())
        except BaseException:
            _sweep(job, out)
            raise
    if fault := _fault(file, job.part):
        refused = job.target.with_name(file.name + ".refused")
        _move(job, refused)
        raise DataError(
            f"{file.name}: what the server sent is {fault}. It is kept as {refused}. Either it was "
            f"damaged, then download again; or its publisher revised it: {job.by_hand}."
        )
    _move(job, job.target)
    return job.target


# ---------------------------------------------------------------------------- attempts


def _fetch(job: _Job, out: FileIO, attempts: int, sleep: Callable[[float], None]) -> None:
    """Fill the part, in as many attempts as are granted."""
    best, left, reached = _size(out), attempts, False
    with _session() as session:
        while True:
            try:
                return _attempt(job, out, session)
            except _CutError as cut:
                size = _size(out)
                left = attempts - 1 if size >= best + STEP else left - 1
                best = max(best, size)
                if left <= 0 or (cut.offline and not reached):
                    raise _given_up(job, str(cut), size, attempts) from None
                reached = reached or not cut.offline
                sleep(2.0 ** (attempts - left - 1) if cut.wait is None else cut.wait)


def _session() -> requests.Session:
    """A session that leaves redirects alone; as it comes, it would read their bodies, however long."""
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            return None

    return Session()


def _given_up(job: _Job, why: str, size: int, attempts: int) -> DataError:
    return DataError(
        f"{job.file.name}: {why}; given up (attempts: {attempts}).{_kept(job, size)} Try again "
        f"later, or {job.by_hand}."
    )


def _attempt(job: _Job, out: FileIO, session: requests.Session) -> None:
    """One request, for the whole file or for the rest of it; DataError or _CutError if it fails."""
    done, known = _size(out), _read_note(job)
    if done and known and known.total == done:
        return
    if not (known and known.validator) or (known.total or job.most) < done:
        known = None
    headers = {"User-Agent": f"entrepot/{__version__}", "Accept-Encoding": "identity"}
    if done and known:
        headers |= {"Range": f"bytes={done}-", "If-Range": known.validator}
    with _ask(job, session, headers) as answer:
        status = answer.status_code
        if status == 206 and done and known and _continues(answer, known, done):
            total, blocks = known.total or _length(answer, done), _blocks(answer)
        elif status in (206, 416):
            _empty(job, out)
            raise _CutError("the server's file is not the one that was begun")
        elif status == 200:
            total = _length(answer)
            _require_bound(job, out, total or 0)
            head, blocks = _head(_blocks(answer))
            if fault := _kind_fault(job.file.name, head, answer.headers.get("Content-Type", "")):
                raise DataError(f"{job.file.name}: the server sent {fault}; {job.by_hand}.")
            _empty(job, out)
            _write_note(job, answer, total)
            done = 0
        else:
            raise _refusal(job, answer)
        for block in blocks:
            _require_bound(job, out, done + len(block))
            with _disk(job):
                _write(out, block)
            done += len(block)
            if job.progress is not None:
                job.progress(done, total)
    if total is not None and done != total:
        raise _CutError(f"the server stopped at {done:,} of {total:,} bytes")


def _ask(job: _Job, session: requests.Session, headers: dict[str, str]) -> requests.Response:
    """The answer to a GET, redirects followed; the caller closes it."""
    url = job.file.url
    for _ in range(MAX_REDIRECTS + 1):
        answer = _get(job, session, url, headers)
        if answer.status_code not in REDIRECTS:
            return answer
        location = answer.headers.get("Location", "")
        answer.close()
        url = _redirected(job, url, location)
    raise DataError(f"{job.file.name}: the server redirects without end; {job.by_hand}.")


def _redirected(job: _Job, url: str, location: str) -> str:
    """Where a redirect leads: http or https, and not from https to http."""
    secure = urlsplit(url).scheme == "https"
    try:
        onward = urlsplit(urljoin(url, location))
    except ValueError:
        raise DataError(
            f"{job.file.name}: the server redirects to no address; {job.by_hand}."
        ) from None
    if onward.scheme not in ("https", "http") or (secure and onward.scheme != "https"):
        raise DataError(
            f"{job.file.name}: the server redirects to {onward.scheme}: instead of "
            f"{'https' if secure else 'http(s)'}; refused. Instead, {job.by_hand}."
        )
    return onward.geturl()


def _get(
    job: _Job, session: requests.Session, url: str, headers: dict[str, str]
) -> requests.Response:
    from requests import exceptions as failed
    from urllib3.exceptions import NewConnectionError

    name, host = job.file.name, urlsplit(url).hostname
    try:
        return session.get(
            url, headers=headers, stream=True, timeout=job.timeout, allow_redirects=False
        )
    except failed.ProxyError:
        raise DataError(
            f"{name}: the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY) does not "
            f"connect to {host}. Correct it, or {job.by_hand}."
        ) from None
    except failed.SSLError as error:
        if "CERTIFICATE" in str(error).upper():
            raise DataError(
                f"{name}: the certificate of {host} is not accepted; nothing was downloaded. "
                f"Instead, {job.by_hand}."
            ) from None
        raise _CutError(f"the secure connection to {host} broke") from None
    except failed.Timeout:
        raise _CutError(f"{host} did not answer within {job.timeout:g} seconds") from None
    except failed.ConnectionError as error:
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        if isinstance(reason, NewConnectionError):  # no such name, no route, or nobody there
            raise _CutError(
                f"{host} cannot be reached; is there a network?", offline=True
            ) from None
        raise _CutError(f"{host} cut the connection") from None
    except (failed.RequestException, OSError, ValueError) as error:
        raise DataError(f"{name}: cannot be asked for ({error}). Instead, {job.by_hand}.") from None


def _refusal(job: _Job, answer: requests.Response) -> Exception:
    """What an answer other than the file means."""
    name, status = job.file.name, answer.status_code
    if status in (401, 403):
        return DataError(f"{name}: the server refuses programs ({status}); {job.by_hand}.")
    if status in (404, 410):
        return DataError(
            f"{name}: it is no longer at {job.file.url} ({status}); look for it: {job.by_hand}."
        )
    if status == 429:
        asked = answer.headers.get("Retry-After", "")
        wait = float(asked) if re.fullmatch(r"\d{1,9}", asked) else None
        if wait is not None and wait > MAX_WAIT:
            return DataError(
                f"{name}: too many requests, says the server (429). Wait {wait:.0f} seconds and "
                f"try again, or {job.by_hand}."
            )
        return _CutError("too many requests, says the server (429)", wait)
    if status == 408 or status >= 500:
        return _CutError(f"the server has a fault ({status})")
    return DataError(f"{name}: the server answers {status}, not the file; {job.by_hand}.")


def _blocks(answer: requests.Response) -> Iterator[bytes]:
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield from answer.iter_content(BLOCK)
    except (RequestException, HTTPError) as error:
        slow = "timed out" in str(error).lower()
        raise _CutError(
            "the server fell silent" if slow else "the connection was cut before the end"
        ) from None


def _head(blocks: Iterator[bytes], enough: int = 512) -> tuple[bytes, Iterator[bytes]]:
    """The beginning of a stream, and the stream with its beginning put back."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= enough:
            break

    def whole() -> Iterator[bytes]:
        if head:
            yield head
        yield from blocks

    return head, whole()


# ---------------------------------------------------------------------------- versions


def _length(answer: requests.Response, done: int = 0) -> int | None:
    """Bytes of the whole file; None where the server does not say, or packs what it sends."""
    length = answer.headers.get("Content-Length", "")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return None
    return done + int(length) if re.fullmatch(r"\d{1,15}", length) else None


def _continues(answer: requests.Response, known: _Version, done: int) -> bool:
    """Whether a partial answer is the rest of the file that was begun."""
    span = re.fullmatch(
        r"bytes (\d{1,15})-\d{1,15}/(\d{1,15}|\*)", answer.headers.get("Content-Range", "")
    )
    etag, modified = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
    return (
        span is not None
        and int(span[1]) == done
        and (span[2] == "*" or known.total in (None, int(span[2])))
        and (not etag or not known.etag or etag == known.etag)
        and (not modified or not known.modified or modified == known.modified)
        and answer.headers.get("Content-Encoding", "identity") == "identity"
    )


def _write_note(job: _Job, answer: requests.Response, total: int | None) -> None:
    packed = answer.headers.get("Content-Encoding", "identity") != "identity"
    version = _Version(
        url=job.file.url,
        etag="" if packed else answer.headers.get("ETag", ""),
        modified="" if packed else answer.headers.get("Last-Modified", ""),
        total=total,
    )
    with _disk(job):
        job.note.write_text(json.dumps(asdict(version)), encoding="utf-8")


def _read_note(job: _Job) -> _Version | None:
    """The version that the part is of; None where that is not known, or of another address."""
    try:
        version = _Version(**json.loads(job.note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    texts = (version.url, version.etag, version.modified)
    right = all(isinstance(text, str) and text.isprintable() for text in texts)
    right = right and (version.total is None or type(version.total) is int)
    return version if right and version.url == job.file.url else None


# ---------------------------------------------------------------------------- checks


def _require_bound(job: _Job, out: FileIO, size: int) -> None:
    if size > job.most:
        _empty(job, out)
        raise DataError(
            f"{job.file.name}: the server sends more than {job.most:,} bytes, far more than the "
            f"file should have; refused. Instead, {job.by_hand}."
        )


def _kind_fault(name: str, head: bytes, content_type: str = "") -> str:
    """What a file that begins so is, if not what its name says; else an empty string."""
    suffix = Path(name).suffix.lower()
    magic = MAGIC.get(suffix)
    if magic is not None and head.startswith(magic):
        return ""
    if not head:
        return "an empty file"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:20].lower()
    if start.startswith(PAGE) or (magic is None and "html" in content_type.lower()):
        return "a web page, not the table"
    return f"no {suffix} file" if magic is not None else ""


def _fault(file: FileAddress, path: Path) -> str:
    """What a complete file is, if not the published one; else an empty string.

    It must be of its kind and have the published checksum; without one, an
    archive must have its end.
    """
    try:
        with path.open("rb") as stream:
            fault = _kind_fault(file.name, stream.read(512))
            if fault:
                return fault
            if file.checksum is None:
                archive = MAGIC.get(Path(file.name).suffix.lower()) == ZIP
                whole = not archive or zipfile.is_zipfile(stream)
                return "" if whole else "an archive without its end"
            kind, want = file.checksum
            stream.seek(0)
            digest = hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    got = digest.hexdigest()
    if got == want:
        return ""
    return f"not the published file: expected {kind} {want} ({file.checksum_source}), got {got}"


# ---------------------------------------------------------------------------- disk


@contextmanager
def _open_part(job: _Job) -> Iterator[FileIO]:
    """The part, locked against a second download of the same file; written without buffer."""
    part = job.part
    with _disk(job):
        part.parent.mkdir(parents=True, exist_ok=True)
        if part.is_symlink() or (part.exists() and not part.is_file()):
            raise DataError(f"{part} is not an ordinary file; move it away.")
        out = part.open("a+b", buffering=0)
    with out:
        _lock(job, out)
        yield out


def _lock(job: _Job, out: FileIO) -> None:
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    try:
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.path.samestat(os.fstat(out.fileno()), job.part.stat())
    except (BlockingIOError, FileNotFoundError):
        same = False
    except OSError:  # a file system without locks
        same = True
    if not same:
        raise DataError(
            f"{job.file.name}: another download of it into {job.part.parent} is running."
        )


@contextmanager
def _disk(job: _Job) -> Iterator[None]:
    """What goes wrong on the disk, as a DataError."""
    try:
        yield
    except OSError as error:
        folder = job.target.parent
        if error.errno in FULL:
            size = job.part.stat().st_size if job.part.exists() else 0
            raise DataError(
                f"{job.file.name}: the disk of {folder} is full. Free some space, or choose another "
                f"folder, and download again.{_kept(job, size)}"
            ) from None
        raise DataError(
            f"{job.file.name}: cannot be written to {folder} ({error.strerror}); choose another folder."
        ) from None


def _kept(job: _Job, size: int) -> str:
    known = _read_note(job)
    if not (size and known and known.validator):
        return ""
    return f" {size:,} bytes are kept in {job.part}, and the next download goes on from there."


def _size(out: FileIO) -> int:
    return os.fstat(out.fileno()).st_size


def _write(out: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) :]


def _empty(job: _Job, out: FileIO) -> None:
    with _disk(job):
        out.truncate(0)


def _sweep(job: _Job, out: FileIO) -> None:
    """Remove a part that no later download could go on from."""
    if not _kept(job, _size(out)):
        with suppress(OSError):
            job.part.unlink(missing_ok=True)
            job.note.unlink(missing_ok=True)


def _move(job: _Job, to: Path) -> None:
    with _disk(job):
        job.part.replace(to)
        job.note.unlink(missing_ok=True)
