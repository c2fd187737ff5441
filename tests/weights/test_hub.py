"""Downloads against a server that drops, truncates, corrupts and refuses: whole and published, or a clear error."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubel.errors import WeightsError
from hubel.weights import downloading
from hubel.weights.hub import Download

from .server import (
    Answer,
    FileServer,
    chunked,
    corrupts,
    drops,
    honest,
    ignores_ranges,
    redirects,
    refuses,
    sends_another_range,
    truncates,
    waits_after,
)

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = random.Random(1).randbytes(280_000)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, no copies elsewhere, no pauses and no proxies."""
    for name, value in {"HUBEL_CACHE": "cache", "TORCH_HOME": "torch"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    for name in ("HUBEL_OFFLINE", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(downloading, "BACKOFF", 0.0)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def server(cache: Path) -> Iterator[FileServer]:
    with FileServer(CONTENT) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def wanted(server: FileServer, sha256: str = SHA256[:8]) -> Download:
    return Download(f"{server.url}/net-{SHA256[:8]}.pth", "net.pth", sha256)


def leftovers(cache: Path) -> list[str]:
    """What lies in the cache beside the file, its digest and the lock."""
    return sorted({path.name for path in cache.iterdir()} - {"net.pth", "net.pth.sha256", ".net.pth.lock"})


def check_whole(path: Path, cache: Path) -> None:
    assert path == cache / "net.pth"
    assert path.read_bytes() == CONTENT
    assert (cache / "net.pth.sha256").read_text() == f"{SHA256}  net.pth\n"
    assert leftovers(cache) == []


def test_a_file_comes_once_and_whole(server: FileServer, cache: Path):
    seen: list[tuple[str, int, int]] = []
    path = wanted(server).path(lambda *progress: seen.append(progress))
    check_whole(path, cache)
    assert seen[0] == ("net.pth", 0, len(CONTENT))
    assert seen[-1] == ("net.pth", len(CONTENT), len(CONTENT))
    assert wanted(server).path() == path
    assert len(server.requests) == 1
    assert server.requests[0]["user-agent"].startswith("hubel/")


def test_the_digest_beside_the_file_is_sha256sums(server: FileServer, cache: Path):
    wanted(server).path()
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--status", "net.pth.sha256"], cwd=cache, check=True)


@pytest.mark.parametrize("fails", [drops(100_000), truncates(100_000)], ids=["dropped", "truncated"])
def test_a_connection_that_ends_is_taken_up_where_it_ended(server: FileServer, cache: Path, fails: Answer):
    server.answers = [fails, truncates(50_000)]
    check_whole(wanted(server).path(), cache)
    first, second, third = server.ranges
    assert first is None
    assert second is not None
    assert 0 < int(second[6:-1]) <= 100_000  # what is in flight when a connection is reset may be lost
    assert third == f"bytes={int(second[6:-1]) + 50_000}-"
    assert server.requests[1]["if-range"] == '"one"'


def test_a_server_without_ranges_begins_anew(server: FileServer, cache: Path):
    server.answers = [truncates(100_000), ignores_ranges]
    check_whole(wanted(server).path(), cache)
    assert server.ranges == [None, "bytes=100000-"]


def test_a_file_that_changes_between_attempts_is_not_patched_together(server: FileServer, cache: Path):
    def changes(handler: object) -> None:
        truncates(100_000)(handler)
        server.content, server.etag = CONTENT, '"two"'

    server.content = OTHER
    server.answers = [changes]
    check_whole(wanted(server).path(), cache)
    assert [request.get("if-range") for request in server.requests] == [None, '"one"']
    assert len(server.requests) == 2


def test_a_file_that_changes_unnoticed_is_fetched_again(server: FileServer, cache: Path):
    """Weak entity tags say nothing about bytes: the SHA-256 finds it."""

    def changes(handler: object) -> None:
        truncates(100_000)(handler)
        server.content = CONTENT

    server.content, server.etag = OTHER, 'W/"one"'
    server.answers = [changes]
    check_whole(wanted(server).path(), cache)
    assert server.ranges == [None, "bytes=100000-", None]
    assert "if-range" not in server.requests[1]


def test_a_corrupted_file_is_fetched_again(server: FileServer, cache: Path):
    server.answers = [corrupts]
    check_whole(wanted(server).path(), cache)
    assert server.ranges == [None, None]


def test_a_file_that_is_always_another_is_refused(server: FileServer, cache: Path):
    server.content = OTHER
    digest = hashlib.sha256(OTHER).hexdigest()
    message = (
        rf"^net\.pth is not on this machine and cannot be downloaded from {server.url}/net-{SHA256[:8]}\.pth: what "
        rf"came twice \(280,000 bytes\) is not the published file: its SHA-256 begins {digest[:8]}, expected "
        rf"{SHA256[:8]}; get it where that is possible and give it with `--weights PATH`, or put it at "
        rf"{cache / 'net.pth'}$"
    )
    with pytest.raises(WeightsError, match=message):
        wanted(server).path()
    assert leftovers(cache) == []
    assert not (cache / "net.pth").exists()
    assert len(server.requests) == 2


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_final_no_is_believed(server: FileServer, cache: Path, code: int):
    server.answers = [refuses(code)]
    with pytest.raises(WeightsError, match=rf"the server answers {code} .*--weights PATH"):
        wanted(server).path()
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_passing_no_is_asked_again(server: FileServer, cache: Path, code: int):
    server.answers = [refuses(code), refuses(code)]
    check_whole(wanted(server).path(), cache)
    assert len(server.requests) == 3


def test_what_the_server_asks_for_is_waited(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []
    monkeypatch.setattr(downloading.time, "sleep", pauses.append)
    monkeypatch.setattr(downloading, "BACKOFF", 1.0)
    retry_after = {"Retry-After": "7"}
    a_date = {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}
    server.answers = [refuses(503, **retry_after), refuses(503), refuses(503, **a_date), refuses(429, **retry_after)]
    check_whole(wanted(server).path(), cache)
    assert pauses == [7, 2, 4, 8]


def test_endless_trouble_ends(server: FileServer, cache: Path):
    server.answers = [refuses(503)] * 20
    with pytest.raises(WeightsError, match=r"answers 503 Service Unavailable \(6 attempts in a row\).*--weights PATH"):
        wanted(server).path()
    assert len(server.requests) == 6
    server.answers = [truncates(1_000)] * 20
    with pytest.raises(WeightsError, match=r"the connection ended after 6,000 of 300,000 bytes \(6 attempts"):
        wanted(server).path()
    assert leftovers(cache) == [".net.pth.etag", ".net.pth.part"]
    server.answers = []
    check_whole(wanted(server).path(), cache)
    assert server.ranges[-1] == "bytes=6000-"


def test_attempts_that_bring_something_do_not_count(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(downloading, "_CHUNK", 10_000)
    server.answers = [truncates(20_000)] * 14
    check_whole(wanted(server).path(), cache)
    assert server.ranges == [None, *(f"bytes={20_000 * k}-" for k in range(1, 15))]


def test_a_wrong_range_begins_anew(server: FileServer, cache: Path):
    server.answers = [truncates(100_000), sends_another_range]
    check_whole(wanted(server).path(), cache)
    assert server.ranges == [None, "bytes=100000-", None]


def test_everything_was_there_already(server: FileServer, cache: Path):
    cache.mkdir(parents=True)
    (cache / ".net.pth.part").write_bytes(CONTENT)
    check_whole(wanted(server).path(), cache)
    assert server.ranges == ["bytes=300000-"]


def test_remains_that_make_no_sense_are_replaced(server: FileServer, cache: Path):
    cache.mkdir(parents=True)
    (cache / ".net.pth.part").write_bytes(OTHER[:1000])
    (cache / ".net.pth.etag").write_bytes(b"\x00\n\xff")
    (cache / "net.pth").write_bytes(b"")
    (cache / "net.pth.sha256").write_bytes(b"\xff" * 100)
    check_whole(wanted(server).path(), cache)
    assert server.ranges == ["bytes=1000-", None]
    assert "if-range" not in server.requests[0]


def test_an_address_that_is_none(cache: Path):
    with pytest.raises(WeightsError, match=r"from mirror\.example/a\.pth: unknown url type.*--weights PATH"):
        Download("mirror.example/a.pth", "net.pth", SHA256).path()


def test_more_than_everything_was_there(server: FileServer, cache: Path):
    cache.mkdir(parents=True)
    (cache / ".net.pth.part").write_bytes(CONTENT + b"more")
    server.answers = [honest, corrupts]  # it is no corrupted file, of which two would be refused
    check_whole(wanted(server).path(), cache)
    assert server.ranges == ["bytes=300004-", None, None]


def test_a_file_without_a_length(server: FileServer, cache: Path):
    server.answers = [chunked]
    check_whole(wanted(server).path(), cache)


def test_a_hub_tells_the_digest_on_the_way(server: FileServer, cache: Path):
    """As the Hugging Face hub does: it redirects to where the bytes are, and tells their SHA-256 beside."""
    linked = {"X-Linked-ETag": f'"{SHA256}"'}
    server.answers = [redirects(**linked), truncates(100_000), redirects(**linked), honest]
    path = wanted(server, sha256="").path()
    check_whole(path, cache)
    assert [request["path"] for request in server.requests][1::2] == ["/elsewhere", "/elsewhere"]
    assert server.ranges == [None, None, "bytes=100000-", "bytes=100000-"]
    assert wanted(server, sha256="").path() == path
    path.write_bytes(OTHER)
    server.answers = [redirects(**linked)]
    check_whole(wanted(server, sha256="").path(), cache)


def test_what_nobody_vouches_for_is_refused(server: FileServer, cache: Path):
    with pytest.raises(WeightsError, match=r"the server tells no SHA-256, so .* give it with `--weights PATH`$"):
        wanted(server, sha256="").path()
    assert leftovers(cache) == []
    assert not (cache / "net.pth").exists()


def test_a_digest_that_the_hub_tells_wrong_does_not_replace_ours(server: FileServer, cache: Path):
    server.content = OTHER
    server.answers = [redirects(**{"X-Linked-ETag": hashlib.sha256(OTHER).hexdigest()})]
    with pytest.raises(WeightsError, match=f"expected {SHA256[:8]}"):
        wanted(server).path()


def test_a_damaged_cache_is_found(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch):
    path = wanted(server).path()
    path.write_bytes(CONTENT[:-1])
    monkeypatch.setenv("HUBEL_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"^net\.pth is damaged and cannot be downloaded .*: HUBEL_OFFLINE is set;"):
        wanted(server).path()
    monkeypatch.delenv("HUBEL_OFFLINE")
    check_whole(wanted(server).path(), cache)
    assert len(server.requests) == 2


def test_a_change_that_keeps_the_beginning_of_the_digest_is_found(server: FileServer, cache: Path):
    """The whole digest is remembered, not only what the publisher tells of it."""
    path = wanted(server, sha256=SHA256[:1]).path()
    other = next(text for k in range(1000) if hashlib.sha256(text := f"{k}".encode()).hexdigest()[0] == SHA256[0])
    path.write_bytes(other)
    check_whole(wanted(server, sha256=SHA256[:1]).path(), cache)


def test_a_file_put_there_by_hand_is_taken(server: FileServer, cache: Path):
    cache.mkdir(parents=True)
    (cache / "net.pth").write_bytes(CONTENT)
    assert wanted(server).path() == cache / "net.pth"
    assert server.requests == []


def test_offline_means_no_request(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUBEL_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"not on this machine .*: HUBEL_OFFLINE is set; get it .*--weights PATH"):
        wanted(server).path()
    assert server.requests == []
    monkeypatch.setenv("HUBEL_OFFLINE", "0")
    check_whole(wanted(server).path(), cache)


def test_no_way_to_the_server_is_told_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(downloading.time, "sleep", lambda seconds: pytest.fail("it waited"))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(WeightsError, match=rf"from http://127.0.0.1:{port}/a.pth: Connection refused; get it"):
        Download(f"http://127.0.0.1:{port}/a.pth", "net.pth", SHA256).path()

    def fail(*arguments: object, **keywords: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(WeightsError, match=r"Name or service not known; get it .*--weights PATH"):
        Download("http://weights.invalid/a.pth", "net.pth", SHA256).path()


def test_a_network_that_goes_away_in_between_is_tried_again(
    server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    resolve = socket.getaddrinfo
    calls = []

    def sometimes(*arguments: object, **keywords: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve(*arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", sometimes)
    server.answers = [truncates(100_000)]
    check_whole(wanted(server).path(), cache)
    assert len(calls) == 3


def test_silence_is_not_waited_for_for_ever(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(downloading, "_TIMEOUT", 0.2)
    go_on = threading.Event()
    server.answers = [waits_after(100_000, go_on)]
    check_whole(wanted(server).path(), cache)
    go_on.set()
    assert server.ranges == [None, "bytes=100000-"]


def test_the_environments_proxy_is_used(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    check_whole(Download("http://weights.invalid/net.pth", "net.pth", SHA256).path(), cache)
    assert server.requests[0]["path"] == "http://weights.invalid/net.pth"


def test_torchs_copy_is_used_if_it_is_whole(server: FileServer, cache: Path, tmp_path: Path):
    theirs = tmp_path / "torch" / "hub" / "checkpoints" / f"net-{SHA256[:8]}.pth"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(CONTENT)
    assert wanted(server).path() == theirs
    assert server.requests == []
    theirs.write_bytes(CONTENT[:-1])
    check_whole(wanted(server).path(), cache)
    assert theirs.read_bytes() == CONTENT[:-1]


@pytest.mark.parametrize("sha256", [SHA256[:8], ""])
def test_the_hugging_face_caches_copy_is_used_if_it_is_whole(
    server: FileServer, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha256: str
):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    repository = tmp_path / "hf" / "models--timm--net.in1k"
    for folder in ("refs", "blobs", "snapshots/abc"):
        (repository / folder).mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "blobs" / SHA256).write_bytes(CONTENT)
    theirs = repository / "snapshots" / "abc" / "model.safetensors"
    theirs.symlink_to(f"../../blobs/{SHA256}")
    download = Download(f"{server.url}/timm/net.in1k/resolve/main/model.safetensors", "net.pth", sha256)
    assert download.path() == theirs
    pinned = Download(f"{server.url}/timm/net.in1k/resolve/012345/model.safetensors", "net.pth", sha256)
    assert pinned.path() == theirs
    assert server.requests == []
    (repository / "blobs" / SHA256).write_bytes(OTHER)
    server.answers = [redirects(**{"X-Linked-ETag": f'"{SHA256}"'})]
    check_whole(download.path(), cache)


def test_a_cache_that_cannot_be_written(server: FileServer, cache: Path, tmp_path: Path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(
        WeightsError, match=r"cannot write weights to .*cache/weights: .*; choose another .*HUBEL_CACHE"
    ):
        wanted(server).path()


def test_a_disk_without_room_is_told_before(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch):
    usage = shutil.disk_usage(cache.parent.parent)
    free = iter([10**9, 150_000, 10**9])
    monkeypatch.setattr(downloading.shutil, "disk_usage", lambda folder: usage._replace(free=next(free)))
    server.answers = [truncates(100_000)]
    message = r"no room for net\.pth in .*: 200,000 bytes are to come, 150,000 are free; make room, or choose"
    with pytest.raises(WeightsError, match=message):
        wanted(server).path()
    check_whole(wanted(server).path(), cache)
    assert server.ranges[-1] == "bytes=100000-"  # what had come was kept


def test_a_disk_that_fills_up_is_not_left_full(server: FileServer, cache: Path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))  # no file may grow beyond
    try:
        with pytest.raises(
            WeightsError, match=r"cannot write .*\.net\.pth\.part: File too large; make room, or choose"
        ):
            wanted(server).path()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert leftovers(cache) == []
    check_whole(wanted(server).path(), cache)


FETCH = "import sys; from hubel.weights.hub import Download; print(Download(*sys.argv[1:]).path())"


def start_process(server: FileServer) -> subprocess.Popen[str]:
    download = wanted(server)
    arguments = [sys.executable, "-c", FETCH, download.url, download.file, download.sha256]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=os.environ.copy())


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_processes_download_once(server: FileServer, cache: Path):
    go_on = threading.Event()
    server.answers = [waits_after(100_000, go_on)]
    first = start_process(server)
    wait_until(lambda: server.requests)
    second = start_process(server)
    waiting: list[str] = []
    third = threading.Thread(target=wanted(server).path, args=(lambda file, done, total: waiting.append(file),))
    third.start()
    wait_until(lambda: waiting)
    time.sleep(0.5)
    assert second.poll() is None
    go_on.set()
    third.join(60)
    outputs = {process.communicate(timeout=60)[0] for process in (first, second)}
    assert outputs == {f"{cache / 'net.pth'}\n"}
    assert waiting == ["net.pth (another process is at it)"]
    assert len(server.requests) == 1
    check_whole(cache / "net.pth", cache)


def test_a_killed_download_is_taken_up_by_the_next(server: FileServer, cache: Path):
    go_on = threading.Event()
    server.answers = [waits_after(100_000, go_on)]
    process = start_process(server)
    part = cache / ".net.pth.part"
    wait_until(lambda: part.is_file() and part.stat().st_size == 100_000)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    go_on.set()
    assert not (cache / "net.pth").exists()
    check_whole(wanted(server).path(), cache)
    assert server.ranges == [None, "bytes=100000-"]


@pytest.mark.parametrize("seed", range(20))
def test_any_sequence_of_faults_gives_the_file(server: FileServer, cache: Path, seed: int):
    """At most one fault corrupts, for two are refused; those before it must not count against those after."""
    chosen = random.Random(seed)
    faults = [drops, truncates]
    server.answers = [chosen.choice(faults)(chosen.randrange(len(CONTENT))) for _ in range(4)]
    others: list[Answer] = [refuses(503), ignores_ranges, sends_another_range, redirects(), chunked, honest, corrupts]
    server.answers.insert(chosen.randrange(5), chosen.choice(others))
    path = wanted(server).path()
    check_whole(path, cache)
