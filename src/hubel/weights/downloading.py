"""One file from the network, attempt after attempt, until all of it is here and is the published one."""

from __future__ import annotations

import errno
import http.client
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from hubel.errors import WeightsError
from hubel.files import sha256_of, write_whole
from hubel.version import __version__

if TYPE_CHECKING:
    from hubel.weights.hub import Download, Progress

# The first pause after a failed attempt in seconds; it doubles with every further one.
BACKOFF = 1.0

SHA256 = re.compile(r"[0-9a-f]{64}")

_ATTEMPTS = 6  # in a row that bring less than a chunk
_CHUNK = 2**20
_TIMEOUT = 30.0
_LONGEST_PAUSE = 60.0
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_STRONG_ETAG = re.compile(r'"[!#-~]*"')  # a weak one, `W/"..."`, says nothing of single bytes


class _RefusedError(Exception):
    """The server's answer is of no use; asking again may help."""


class _DiskError(Exception):
    """The cache cannot be written."""


class Transfer:
    """One download, attempt after attempt.

    Attributes:
        part: What has arrived so far.
        told: The SHA-256 that the server told; empty if it told none.
    """

    def __init__(self, download: Download, report: Progress) -> None:
        self.download, self.report = download, report
        self.part = download.cached.with_name(f".{download.file}.part")
        self.validator = self.part.with_suffix(".etag")  # the ETag of what `part` is the beginning of
        self.told = ""

    def run(self) -> None:
        """Bring the file to its place in the cache.

        Raises:
            WeightsError: It cannot be had.
            OSError: The cache cannot be written.
        """
        for _ in range(2):
            try:
                self._receive_all()
            except _DiskError as error:
                self._discard()  # a full disk is not left full
                raise WeightsError(
                    f"cannot write {self.part}: {error}; make room, or choose another folder with HUBEL_CACHE"
                ) from error
            digest = sha256_of(self.part)
            expected = self.download.sha256 or self.told
            if expected and digest.startswith(expected):
                self._keep(digest)
                return
            size = self.part.stat().st_size
            self._discard()
            if not expected:
                raise self.download.failed("the server tells no SHA-256, so the file cannot be verified")
        raise self.download.failed(
            f"what came twice ({size:,} bytes) is not the published file: its SHA-256 begins {digest[:8]}, "
            f"expected {expected[:8]}"
        )

    def _receive_all(self) -> None:
        """Try until everything is there; attempts that bring something do not count."""
        failures = 0
        while True:
            before = self._size()
            try:
                return self._receive()
            except urllib.error.HTTPError as error:
                if error.code not in _PASSING:
                    raise self.download.failed(f"the server answers {error.code} {error.reason}") from error
                reason = f"the server answers {error.code} {error.reason}"
                pause = float(_number(error.headers.get("Retry-After")))  # a date counts as nothing
            except _RefusedError as error:
                reason, pause = str(error), 0.0
            except (OSError, http.client.HTTPException) as error:  # URLError and time-outs are OSErrors, too
                reason, pause = _reason(error), 0.0
                if not before and _is_hopeless(error):
                    raise self.download.failed(reason) from error
            except ValueError as error:
                raise self.download.failed(str(error)) from error  # that is no address
            failures = 0 if self._size() - before >= _CHUNK else failures + 1
            if failures == _ATTEMPTS:
                raise self.download.failed(f"{reason} ({failures} attempts in a row)")
            time.sleep(min(max(pause, BACKOFF * 2 ** (failures - 1)), _LONGEST_PAUSE) if failures else 0)

    def _receive(self) -> None:
        """Ask once for what is missing.

        Raises:
            OSError, HTTPException, _RefusedError: The network or the server fails.
            _DiskError: The file cannot be written.
            WeightsError: There is no room for it.
        """
        have = self._size()
        headers = {"User-Agent": f"hubel/{__version__}", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if validator := self._stored_validator():
                headers["If-Range"] = validator
        redirects = _Redirects()
        opener = urllib.request.build_opener(redirects)  # it uses the proxies of the environment
        try:
            response = opener.open(urllib.request.Request(self.download.url, headers=headers), timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:
                if error.headers.get("Content-Range", "").endswith(f"/{have}"):
                    return  # everything had arrived before
                self._discard()
                raise _RefusedError("the server has less than what arrived before") from error
            raise
        finally:
            self.told = redirects.told or self.told
        with response:
            self.told = _told(response.headers) or self.told
            self._write(response, have)

    def _write(self, response: Any, have: int) -> None:
        """Append an answer's body to the part, or replace the part where the answer is the whole file."""
        start, total = 0, _number(response.headers.get("Content-Length"))
        if response.status == 206:
            span = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            if span is None or int(span[1]) != have:
                self._discard()
                raise _RefusedError("the server sends another part of the file than was asked for")
            start, total = have, int(span[2])
        self._check_space(total - start)
        with self._writing():
            file = self.part.open("r+b" if have else "wb", buffering=0)
        with file:
            with self._writing():
                file.truncate(start)
                file.seek(start)
                self.validator.write_text(response.headers.get("ETag", ""), encoding="ascii", errors="replace")
            done = start
            self.report(self.download.file, done, total)
            while chunk := response.read1(_CHUNK):
                with self._writing():
                    _write_all(file, chunk)
                done += len(chunk)
                self.report(self.download.file, done, total)
        if total and done < total:
            raise _RefusedError(f"the connection ended after {done:,} of {total:,} bytes")

    def _stored_validator(self) -> str:
        etag = self.validator.read_text(encoding="ascii", errors="replace") if self.validator.is_file() else ""
        return etag if _STRONG_ETAG.fullmatch(etag) else ""

    def _check_space(self, needed: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if needed > free:
            raise WeightsError(
                f"no room for {self.download.file} in {self.part.parent}: {needed:,} bytes are to come, "
                f"{free:,} are free; make room, or choose another folder with HUBEL_CACHE"
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Tell the disk's failures from the network's, which are OSErrors, too."""
        try:
            yield
        except OSError as error:
            raise _DiskError(error.strerror or str(error)) from error

    def _keep(self, digest: str) -> None:
        """Move the whole, verified part to the file's place."""
        with self.part.open("rb") as file:
            os.fsync(file.fileno())
        write_whole(self.download.digest_file, f"{digest}  {self.download.file}\n")
        self.part.replace(self.download.cached)
        self.validator.unlink(missing_ok=True)

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.validator.unlink(missing_ok=True)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections and listens to what they tell of the file: the hub's own answer is one."""

    def __init__(self) -> None:
        self.told = ""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        self.told = _told(headers) or self.told
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _told(headers: Any) -> str:
    """The SHA-256 that the Hugging Face hub tells of a large file."""
    value = headers.get("X-Linked-ETag", "").strip('"')
    return value if SHA256.fullmatch(value) else ""


def _write_all(file: IO[bytes], data: bytes) -> None:
    """Write all of it; an unbuffered file may take less at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _number(text: str | None) -> int:
    """A header's number; 0 for anything else."""
    return int(text) if text is not None and text.isdecimal() else 0


def _reason(error: BaseException) -> str:
    """What went wrong, in the system's words."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, TimeoutError):
        return f"nothing came for {_TIMEOUT:.0f} seconds"
    return str(getattr(inner, "strerror", None) or inner) or type(inner).__name__


def _is_hopeless(error: BaseException) -> bool:
    """Whether there is no way to the server at all, so that trying again is a waste of time."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    ways = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)
    return isinstance(inner, ways) or getattr(inner, "errno", None) in (errno.ENETUNREACH, errno.EHOSTUNREACH)
