"""Downloads from a real server on this machine that misbehaves, and the catalogue of addresses.

Every test ends by looking at what is on the disk.
"""

import errno
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import socket
import subprocess
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from entrepot.catalogues.addresses import (
    CHECKSUMS,
    READERS,
    Address,
    FileAddress,
    address,
    addresses,
    read_row,
    spans,
)
from entrepot.core.errors import DataError
from entrepot.sources import download as module
from entrepot.sources.download import BLOCK, download

LANDING = "https://www.oecd.org/en/data/datasets/inter-country-input-output-tables.html"
ZIPPED = "/files/STI-PIE/ICIO/2025/2016-2022_SML.zip"
FLAT = "/sd/a/21557f49/matrix_eu-ic-io_ind-by-ind_25ed_2023.csv"
PAGE = b"<!DOCTYPE html><html><head><title>Making sure you're not a bot!</title></head></html>"


def archive(seed=1, kilobytes=600):
    table = random.Random(seed).randbytes(kilobytes * 1000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(zipfile.ZipInfo("2022_SML.csv"), table)
    return out.getvalue()


TABLE = archive()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        served = self.server.plan.pop(0) if self.server.plan else self.server.then
        self.server.asked.append((self.path, self.headers.get("Range")))
        self.sent = [0]
        self.server.sent.append(self.sent)
        served(self)

    def log_message(self, *args):
        pass

    def give(self, data):
        self.sent[0] += len(data)
        self.wfile.write(data)

    def answer(self, status, *headers, body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name in ("Content-Length", "Transfer-Encoding") for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.give(body)

    def cut(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


class Server(ThreadingHTTPServer):
    """Answers with `plan`, one entry a request, and then with `then`."""

    daemon_threads = True
    then = None

    def handle_error(self, request, client_address):
        pass  # a client that goes away is meant


def serve(data=TABLE, *, etag='"v1"', ranges=True, upto=None, modified=None, extra=0, kind=None):
    """A whole or partial answer; `upto` bytes of it, then the connection is cut."""

    def served(h):
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", h.headers.get("Range") or "")
        if ranges and wanted and h.headers.get("If-Range") in (etag, modified):
            start, status = int(wanted[1]), 206
        body = data[start:]
        headers = [("Content-Length", str(len(body) + extra))]
        headers += [("ETag", etag)] if etag else []
        headers += [("Last-Modified", modified)] if modified else []
        headers += [("Content-Type", kind)] if kind else []
        if status == 206:
            headers += [
                ("Content-Range", f"bytes {start}-{len(data) + extra - 1}/{len(data) + extra}")
            ]
        h.answer(status, *headers, body=body if upto is None else body[:upto])
        if upto is not None or extra:
            h.cut()

    return served


def status(code, *headers, body=b"no"):
    return lambda h: h.answer(code, *headers, body=body)


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.plan, server.asked, server.sent = [], [], []
        server.stop = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.stop.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def file(server):
    return at(server, ZIPPED)


def at(server, path, **fields):
    name = path.rpartition("/")[2]
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return FileAddress(name=name, url=url, years=(2022,), landing=LANDING, **fields)


class Waits(list):
    def __call__(self, seconds):
        self.append(seconds)


def get(file, folder, **options):
    options.setdefault("sleep", Waits())
    options.setdefault("timeout", 5.0)
    return download(file, folder, **options)


def fails(file, folder, words, **options):
    with pytest.raises(DataError, match=words) as caught:
        get(file, folder, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def on_disk(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def part(file, folder):
    return folder / f"{file.name}.part"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------------------- what works


def test_a_file_arrives_whole_under_the_catalogue_s_name_in_a_folder_made_for_it(
    server, file, tmp_path
):
    server.plan = [serve()]
    told = []
    path = get(file, tmp_path / "a" / "b", progress=lambda done, total: told.append((done, total)))
    assert path == tmp_path / "a" / "b" / "2016-2022_SML.zip"
    assert path.read_bytes() == TABLE
    assert on_disk(path.parent) == [file.name]
    assert told[-1] == (len(TABLE), len(TABLE))
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_the_name_is_the_catalogue_s_whatever_the_server_says(server, file, tmp_path):
    evil = ("Content-Disposition", 'attachment; filename="../../evil.zip"')
    server.plan = [status(200, evil, body=TABLE)]
    get(file, tmp_path / "in")
    assert on_disk(tmp_path / "in") == [file.name]
    assert on_disk(tmp_path) == ["in"]


def test_a_size_that_the_server_does_not_state_is_told_as_unknown(server, file, tmp_path):
    def chunked(h):
        h.answer(200, ("Transfer-Encoding", "chunked"))
        for start in range(0, len(TABLE), 50_000):
            block = TABLE[start : start + 50_000]
            h.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
        h.wfile.write(b"0\r\n\r\n")

    server.plan = [chunked]
    told = []
    get(file, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(TABLE), None)
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


@pytest.mark.parametrize("kind", CHECKSUMS)
def test_a_right_checksum_of_each_kind_is_accepted(server, file, tmp_path, kind):
    digest = hashlib.new(kind, TABLE).hexdigest()
    server.plan = [serve()]
    get(replace(file, **{kind: digest}, checksum_source="test"), tmp_path)
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


@pytest.mark.parametrize("published", [True, False])
def test_a_file_that_is_there_whole_is_not_fetched_again(server, file, tmp_path, published):
    if published:
        file = replace(file, sha256=sha256(TABLE), checksum_source="test")
    (tmp_path / file.name).write_bytes(TABLE)
    assert get(file, tmp_path) == tmp_path / file.name
    assert server.asked == []
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


@pytest.mark.parametrize(
    ("there", "published", "words"),
    [
        (archive(2), True, "is there already.*expected sha256 .*got"),
        (PAGE, False, "a web page, not the table; move it away"),
        (TABLE[: len(TABLE) // 2], False, "an archive without its end; move it away"),
        (b"", False, "an empty file; move it away"),
    ],
)
def test_a_file_that_is_there_but_wrong_is_named_and_left_alone(
    server, file, tmp_path, there, published, words
):
    if published:
        file = replace(file, sha256=sha256(TABLE), checksum_source="test")
    (tmp_path / file.name).write_bytes(there)
    fails(file, tmp_path, words)
    assert server.asked == []
    assert (tmp_path / file.name).read_bytes() == there
    assert on_disk(tmp_path) == [file.name]


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_what_is_no_ordinary_file_is_not_written_to(server, file, tmp_path, suffix):
    (tmp_path / (file.name + suffix)).mkdir()
    fails(file, tmp_path, "folder|not an ordinary file")
    assert server.asked == []
    assert on_disk(tmp_path) == [file.name + suffix]


def test_a_part_that_is_a_link_is_not_followed(server, file, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    folder = tmp_path / "in"
    folder.mkdir()
    part(file, folder).symlink_to(outside)
    server.plan = [serve()]
    fails(file, folder, "not an ordinary file")
    assert outside.read_bytes() == b"precious"
    assert on_disk(folder) == [part(file, folder).name]


def test_a_redirect_is_followed(server, file, tmp_path):
    server.plan = [status(302, ("Location", "/elsewhere/object?signature=1")), serve()]
    get(file, tmp_path)
    assert [path for path, _ in server.asked] == [ZIPPED, "/elsewhere/object?signature=1"]
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


# ---------------------------------------------------------------------------- going on


@pytest.mark.parametrize(
    "version",
    [{"etag": '"v1"'}, {"etag": None, "modified": "Mon, 18 May 2026 14:52:17 GMT"}],
    ids=["etag", "last-modified"],
)
def test_a_cut_download_goes_on_where_it_stopped(server, file, tmp_path, version):
    waits = Waits()
    server.plan = [serve(**version, upto=300_000), serve(**version, upto=200_000), serve(**version)]
    get(file, tmp_path, sleep=waits)
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]
    assert (
        sum(map(sum, server.sent)) < len(TABLE) + 2 * BLOCK
    )  # at most a block is lost at each cut
    assert all(ranged for _, ranged in server.asked[1:])
    assert waits == [1.0, 2.0]


def test_what_one_run_could_not_finish_the_next_one_does(server, file, tmp_path):
    server.then = serve(upto=0)
    server.plan = [serve(upto=400_000)]
    message = fails(file, tmp_path, "cut before the end; given up", attempts=3)
    kept = part(file, tmp_path).read_bytes()
    assert TABLE.startswith(kept)
    assert f"{len(kept):,} bytes are kept" in message
    assert LANDING in message
    assert str(tmp_path / file.name) in message
    assert on_disk(tmp_path) == [f"{file.name}.part", f"{file.name}.part.json"]
    server.plan, server.sent[:], server.asked[:] = [serve()], [], []
    get(file, tmp_path)
    assert server.asked == [(ZIPPED, f"bytes={len(kept)}-")]
    assert server.sent == [[len(TABLE) - len(kept)]]
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


def test_an_interrupt_leaves_the_part_for_the_next_run(server, file, tmp_path):
    def stop(done, total):
        if done > 200_000:
            raise KeyboardInterrupt

    server.plan = [serve()]
    with pytest.raises(KeyboardInterrupt):
        get(file, tmp_path, progress=stop)
    kept = part(file, tmp_path).stat().st_size
    assert 200_000 < kept < len(TABLE)
    assert on_disk(tmp_path) == [f"{file.name}.part", f"{file.name}.part.json"]
    server.plan, server.sent[:] = [serve()], []
    get(file, tmp_path)
    assert server.asked[1:] == [(ZIPPED, f"bytes={kept}-")]
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


def test_a_part_that_is_whole_is_put_in_place_without_asking(server, file, tmp_path):
    part(file, tmp_path).write_bytes(TABLE)
    note = {"url": file.url, "etag": '"v1"', "modified": "", "total": len(TABLE)}
    (tmp_path / f"{file.name}.part.json").write_text(json.dumps(note))
    get(file, tmp_path)
    assert server.asked == []
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


@pytest.mark.parametrize(
    "second",
    [serve(ranges=False), serve(etag='"v2"'), serve(etag=None)],
    ids=["no ranges", "another version", "no version"],
)
def test_where_the_rest_cannot_be_had_the_file_is_fetched_anew(server, file, tmp_path, second):
    server.plan = [serve(archive(2), upto=300_000), second]
    get(file, tmp_path)
    assert server.asked[1][1] is not None
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


def other_rest(etag='"v1"', shift=0, more=0, span=None, packed=False):
    """A partial answer that is not the rest of what was begun, though If-Range asked for it."""

    def served(h):
        start = int(re.search(r"\d+", h.headers["Range"])[0])
        rest = TABLE[start:] if not shift else TABLE[start - shift : -shift]
        first, last = start - shift, start - shift + len(rest) - 1
        said = f"bytes {first}-{last}/{len(TABLE) + more}" if span is None else span
        coding = [("Content-Encoding", "gzip")] if packed else []
        body = gzip.compress(rest) if packed else rest
        h.answer(206, ("ETag", etag), ("Content-Range", said), *coding, body=body)

    return served


@pytest.mark.parametrize(
    "second",
    [
        other_rest(etag='"v2"'),
        other_rest(shift=7),
        other_rest(more=9),
        other_rest(span="bytes a-b/c"),
        other_rest(span=""),
        other_rest(packed=True),
        status(416),
    ],
    ids=[
        "another version",
        "another start",
        "another size",
        "odd span",
        "no span",
        "packed",
        "416",
    ],
)
def test_a_partial_answer_that_does_not_fit_is_not_joined_on(server, file, tmp_path, second):
    server.plan = [serve(upto=300_000), second, serve()]
    get(file, tmp_path)
    assert server.asked[2] == (ZIPPED, None)
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


@pytest.mark.parametrize(
    "note",
    [
        None,
        "no json",
        "[1]",
        '{"url": 1, "etag": "", "modified": "", "total": null}',
        '{"url": "https://example.org/other.zip", "etag": "\\"v1\\"", "modified": "", "total": null}',
        '{"url": "URL", "etag": "\\"v1\\"", "modified": "", "total": 5}',
        '{"url": "URL", "etag": "\\"v1\\"\\r\\nX: 1", "modified": "", "total": null}',
        '{"url": "URL", "etag": "W/\\"v1\\"", "modified": "", "total": null}',
    ],
)
def test_a_part_of_unknown_origin_is_not_gone_on_with(server, file, tmp_path, note):
    part(file, tmp_path).write_bytes(b"x" * 1000)
    if note is not None:
        (tmp_path / f"{file.name}.part.json").write_text(note.replace("URL", file.url))
    server.plan = [serve()]
    get(file, tmp_path)
    assert server.asked == [(ZIPPED, None)]
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


def test_a_server_without_versions_leaves_no_part_that_could_be_joined_wrongly(
    server, file, tmp_path
):
    server.then = serve(etag=None, upto=200_000)
    message = fails(file, tmp_path, "cut before the end", attempts=2)
    assert "kept" not in message
    assert on_disk(tmp_path) == []


def test_a_rest_that_is_shorter_than_it_should_be_is_asked_for_again(server, file, tmp_path):
    def short(h):
        start = int(re.search(r"\d+", h.headers["Range"])[0])
        span = ("Content-Range", f"bytes {start}-{start + 9}/{len(TABLE)}")
        h.answer(206, ("ETag", '"v1"'), span, body=TABLE[start : start + 10])

    server.plan = [serve(upto=300_000), short, serve()]
    get(file, tmp_path)
    assert int(server.asked[2][1][6:-1]) == int(server.asked[1][1][6:-1]) + 10
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


@pytest.mark.parametrize("cut", [False, True])
def test_what_a_server_packs_unasked_is_unpacked_and_never_gone_on_with(server, tmp_path, cut):
    file = at(server, FLAT)
    table = b"rowLabels,AL_A01\n" + random.Random(3).randbytes(200_000).hex().encode()
    packed = gzip.compress(table)

    def served(h):
        headers = (
            ("Content-Encoding", "gzip"),
            ("ETag", '"v1"'),
            ("Content-Length", str(len(packed))),
        )
        h.answer(200, *headers, body=packed[: 150_000 if len(server.asked) == 1 and cut else None])
        if len(server.asked) == 1 and cut:
            h.cut()

    server.then = served
    get(file, tmp_path)
    assert [ranged for _, ranged in server.asked] == [None] * (1 + cut)
    assert (tmp_path / file.name).read_bytes() == table
    assert on_disk(tmp_path) == [file.name]


def test_attempts_that_get_on_do_not_count_as_failed(server, file, tmp_path):
    big = archive(kilobytes=6000)
    server.then = serve(big, upto=1_500_000)
    get(file, tmp_path, attempts=2)
    assert len(server.asked) == 5
    assert (tmp_path / file.name).read_bytes() == big
    assert on_disk(tmp_path) == [file.name]


def test_two_downloads_of_one_file_do_not_mix(server, file, tmp_path):
    pytest.importorskip("fcntl", reason="no file locks on this system")
    server.then = serve()
    seen = []

    def again(done, total):
        if not seen:
            seen.append(fails(file, tmp_path, "another download of it .* is running"))

    get(file, tmp_path, progress=again)
    assert len(seen) == 1
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


# ---------------------------------------------------------------------------- what is refused


def test_a_wrong_checksum_never_gets_the_final_name(server, file, tmp_path):
    file = replace(file, md5="0" * 32, checksum_source="the record's page")
    server.plan = [serve()]
    message = fails(file, tmp_path, "expected md5 0{32} .the record's page., got [0-9a-f]{32}")
    assert hashlib.md5(TABLE).hexdigest() in message
    assert LANDING in message
    assert on_disk(tmp_path) == [f"{file.name}.refused"]
    assert (tmp_path / f"{file.name}.refused").read_bytes() == TABLE


def test_of_several_checksums_the_strongest_decides(server, file, tmp_path):
    right = hashlib.md5(TABLE).hexdigest()
    server.plan = [serve()]
    fails(
        replace(file, md5=right, sha256="0" * 64, checksum_source="x"), tmp_path, "expected sha256"
    )
    assert on_disk(tmp_path) == [f"{file.name}.refused"]


def test_a_file_shorter_than_announced_is_not_taken_for_whole(server, file, tmp_path):
    server.then = serve(extra=100)
    fails(file, tmp_path, "cut before the end; given up .attempts: 3", attempts=3)
    assert on_disk(tmp_path) == [f"{file.name}.part", f"{file.name}.part.json"]
    assert TABLE.startswith(part(file, tmp_path).read_bytes())


def test_an_archive_without_its_end_is_refused_though_the_length_fits(server, file, tmp_path):
    server.plan = [serve(TABLE[:-500])]
    fails(file, tmp_path, "an archive without its end")
    assert on_disk(tmp_path) == [f"{file.name}.refused"]


@pytest.mark.parametrize(
    ("path", "body", "kind", "words"),
    [
        (ZIPPED, PAGE, "text/html; charset=utf-8", "sent a web page, not the table"),
        (ZIPPED, PAGE, "application/zip", "sent a web page, not the table"),
        (ZIPPED, b"\xef\xbb\xbf\n <HTML>" + PAGE, None, "sent a web page, not the table"),
        (ZIPPED, b"sorry", "text/html", "sent no .zip file"),
        (ZIPPED, b"", None, "sent an empty file"),
        (FLAT, PAGE, "text/csv", "sent a web page, not the table"),
        (FLAT, b"Please log in", "text/html", "sent a web page, not the table"),
        (FLAT, b"", "text/csv", "sent an empty file"),
        ("/download/ADB-MRIO-2024.xlsx", PAGE, "application/xlsx", "sent a web page"),
    ],
)
def test_a_page_in_place_of_the_table_is_refused(server, tmp_path, path, body, kind, words):
    file = at(server, path)
    server.plan = [serve(body, kind=kind)]
    message = fails(file, tmp_path, words)
    assert f"open {LANDING} in a browser and put the file at {tmp_path / file.name}" in message
    assert len(server.asked) == 1
    assert on_disk(tmp_path) == []


def test_a_table_sent_as_a_web_page_is_a_table_all_the_same(server, file, tmp_path):
    server.plan = [serve(kind="text/html")]
    get(file, tmp_path)
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


def test_a_page_that_comes_instead_of_the_rest_does_not_cost_what_is_there(server, file, tmp_path):
    server.plan = [serve(upto=300_000), serve(PAGE, ranges=False)]
    fails(file, tmp_path, "web page")
    kept = part(file, tmp_path).read_bytes()
    assert len(kept) > 200_000
    assert TABLE.startswith(kept)
    assert on_disk(tmp_path) == [f"{file.name}.part", f"{file.name}.part.json"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(403), r"the server refuses programs \(403\); open https://www.oecd.org"),
        (status(401), r"the server refuses programs \(401\); open https://www.oecd.org"),
        (status(404), r"no longer at http://127.* \(404\); look for it: open https://www.oecd.org"),
        (status(410), r"no longer at http://127.* \(410\)"),
        (status(418), "the server answers 418, not the file; open"),
        (status(204), "the server answers 204, not the file; open"),
        (status(429, ("Retry-After", "3600")), "Wait 3600 seconds and try again, or open"),
    ],
)
def test_a_refusal_is_told_at_once_with_what_to_do_by_hand(server, file, tmp_path, answer, words):
    server.then = answer
    waits = Waits()
    message = fails(file, tmp_path, words, sleep=waits)
    assert str(tmp_path / file.name) in message
    assert waits == []
    assert len(server.asked) == 1
    assert on_disk(tmp_path) == []


def test_what_an_account_needs_is_said_in_the_message(server, file, tmp_path):
    server.then = status(403)
    fails(replace(file, manual="An account is needed."), tmp_path, r"\(An account is needed\)\.$")
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "waited"),
    [
        (status(500), [1.0, 2.0]),
        (status(503), [1.0, 2.0]),
        (status(429), [1.0, 2.0]),
        (status(429, ("Retry-After", "7")), [7.0, 7.0]),
        (status(429, ("Retry-After", "Fri, 01 Jan 2027 00:00:00 GMT")), [1.0, 2.0]),
    ],
)
def test_a_passing_fault_is_waited_out(server, file, tmp_path, answer, waited):
    server.plan = [answer, answer, serve()]
    waits = Waits()
    get(file, tmp_path, sleep=waits)
    assert waits == waited
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


@pytest.mark.parametrize(
    ("code", "words"), [(500, "a fault .500"), (429, "too many requests.*429")]
)
def test_a_lasting_fault_ends_after_the_attempts(server, file, tmp_path, code, words):
    server.then = status(code)
    fails(file, tmp_path, words + r".*given up \(attempts: 3\)", attempts=3)
    assert len(server.asked) == 3
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("file:///etc/hostname", "redirects to file: instead of http.s.; refused"),
        ("ftp://127.0.0.1/x.zip", "redirects to ftp:"),
        ("http://[broken/x.zip", "redirects to no address"),
        ("data:application/zip;base64,UEsDBA==", "redirects to data:"),
    ],
)
def test_a_redirect_out_of_the_web_is_refused(server, file, tmp_path, to, words):
    server.then = status(302, ("Location", to))
    fails(file, tmp_path, words)
    assert on_disk(tmp_path) == []


def test_the_body_of_a_redirect_is_not_read(server, file, tmp_path):
    def endless(h):
        h.answer(302, ("Location", "/elsewhere"), ("Transfer-Encoding", "chunked"))
        while not h.server.stop.wait(0.001):
            h.give(b"%x\r\n%b\r\n" % (len(TABLE), TABLE))

    server.plan = [endless, serve()]
    get(file, tmp_path)
    assert sum(server.sent[0]) < 100_000_000
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


def test_a_redirect_in_a_circle_ends(server, file, tmp_path):
    server.then = status(301, ("Location", ZIPPED))
    fails(file, tmp_path, "redirects without end")
    assert len(server.asked) == 11
    assert on_disk(tmp_path) == []


def test_a_redirect_does_not_leave_https(file, tmp_path):
    job = module._Job(file, tmp_path / file.name, 1, 1.0, None)
    assert module._redirected(job, "https://a.org/x", "//b.org/y") == "https://b.org/y"
    with pytest.raises(DataError, match="redirects to http: instead of https"):
        module._redirected(job, "https://a.org/x", "http://a.org/x")
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize("sent", [None, 300_000], ids=["before the answer", "in the middle"])
def test_a_server_that_falls_silent_is_given_up(server, file, tmp_path, sent):
    def silent(h):
        if sent is not None:
            serve(upto=None)(h) if h.headers.get("Range") else h.answer(
                200, ("Content-Length", str(len(TABLE))), ("ETag", '"v1"'), body=TABLE[:sent]
            )
            h.wfile.flush()
        h.server.stop.wait(20)
        h.close_connection = True

    server.plan = [silent, silent]
    if sent is None:
        fails(file, tmp_path, "did not answer within 0.2 seconds", timeout=0.2, attempts=2)
        assert on_disk(tmp_path) == []
    else:
        fails(file, tmp_path, "the server fell silent", timeout=0.2, attempts=1)
        kept = part(file, tmp_path).read_bytes()
        assert len(kept) >= sent - BLOCK
        assert TABLE.startswith(kept)
        assert on_disk(tmp_path) == [f"{file.name}.part", f"{file.name}.part.json"]


def test_offline_is_told_at_once(server, file, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = replace(file, url=f"http://127.0.0.1:{free.getsockname()[1]}{ZIPPED}")
        waits = Waits()
        fails(closed, tmp_path, "127.0.0.1 cannot be reached; is there a network", sleep=waits)
    assert waits == []
    assert on_disk(tmp_path) == []


def test_a_host_that_has_no_name_is_told_at_once(server, file, tmp_path, monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    nowhere = replace(file, url="http://tables.invalid/x.zip")
    fails(nowhere, tmp_path, "tables.invalid cannot be reached; is there a network")
    assert on_disk(tmp_path) == []


def test_a_network_lost_on_the_way_is_waited_for(server, file, tmp_path, monkeypatch):
    def lost_once(seconds):
        waits.append(seconds)
        if len(waits) == 1:
            monkeypatch.setattr(socket, "getaddrinfo", gone)
        else:
            monkeypatch.setattr(socket, "getaddrinfo", real)

    def gone(*args, **kwargs):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    waits, real = [], socket.getaddrinfo
    server.plan = [serve(upto=300_000), serve()]
    get(file, tmp_path, sleep=lost_once)
    assert waits == [1.0, 2.0]
    assert (tmp_path / file.name).read_bytes() == TABLE
    assert on_disk(tmp_path) == [file.name]


def test_a_proxy_that_is_not_there_is_named(server, file, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        fails(file, tmp_path, "the proxy that the environment names")
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize("stated", [True, False], ids=["stated", "endless"])
def test_more_than_the_bound_is_refused(server, file, tmp_path, stated):
    def endless(h):
        h.answer(200, ("Transfer-Encoding", "chunked"), ("ETag", '"v1"'))
        for _ in range(1000):
            h.wfile.write(b"%x\r\n%b\r\n" % (len(TABLE), TABLE))

    server.plan = [serve() if stated else endless]
    fails(file, tmp_path, "sends more than 400,000 bytes", max_bytes=400_000)
    assert on_disk(tmp_path) == []


def test_the_bound_is_twice_the_published_size(server, file, tmp_path):
    server.then = serve()
    fails(replace(file, size=len(TABLE) // 2 - 1), tmp_path, "sends more than")
    assert on_disk(tmp_path) == []
    get(replace(file, size=len(TABLE) // 2 + 1), tmp_path)
    assert on_disk(tmp_path) == [file.name]


# ---------------------------------------------------------------------------- the disk


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A disk of 256 KB: a real one where it can be mounted, else one that writes refuse to fill."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    mounted = mount is not None and os.name == "posix" and os.geteuid() == 0
    if mounted:
        order = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
        mounted = subprocess.run(order, capture_output=True, check=False).returncode == 0
    if not mounted:
        real = module.FileIO.write

        class Small(module.FileIO):
            def write(self, data):
                room = 256_000 - os.fstat(self.fileno()).st_size
                if room <= 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real(self, memoryview(data)[:room])

        opened = Path.open

        def small(self, mode="r", *args, **kwargs):
            if self.parent == folder and mode == "a+b":
                return Small(self, "a+")
            return opened(self, mode, *args, **kwargs)

        monkeypatch.setattr(Path, "open", small)
    yield folder
    if mounted:
        subprocess.run([shutil.which("umount"), str(folder)], capture_output=True, check=True)
    monkeypatch.undo()


def test_a_full_disk_is_told_and_what_arrived_is_kept(server, file, tmp_path, small_disk):
    server.then = serve()
    message = fails(file, small_disk, f"the disk of {small_disk} is full. Free some space")
    kept = part(file, small_disk).read_bytes()
    assert 100_000 < len(kept) <= 262_144
    assert TABLE.startswith(kept)
    assert f"{len(kept):,} bytes are kept" in message
    assert on_disk(small_disk) == [f"{file.name}.part", f"{file.name}.part.json"]
    room = tmp_path / "room"
    room.mkdir()
    for path in small_disk.iterdir():  # as a user who frees space: the part is good to go on with
        shutil.copy(path, room)
    server.asked.clear()
    get(file, room)
    assert server.asked == [(ZIPPED, f"bytes={len(kept)}-")]
    assert (room / file.name).read_bytes() == TABLE
    assert on_disk(room) == [file.name]


def test_a_full_disk_and_a_server_without_versions_leave_nothing(server, file, small_disk):
    server.then = serve(etag=None)
    message = fails(file, small_disk, "is full")
    assert "kept" not in message
    assert on_disk(small_disk) == []


def test_a_folder_that_cannot_be_written_is_told(server, file, tmp_path):
    (tmp_path / "taken").write_text("a file")
    fails(file, tmp_path / "taken" / "in", "cannot be written to .* choose another folder")
    assert server.asked == []
    assert (tmp_path / "taken").read_text() == "a file"
    assert on_disk(tmp_path) == ["taken"]


# ---------------------------------------------------------------------------- the catalogue


def test_every_row_of_the_catalogue_is_valid():
    known = addresses()
    assert {row.reader for row in known.values()} == set(READERS)
    for name, row in known.items():
        assert row.name == name
        assert row.title
        assert row.seen
        assert row.landing.startswith(("https://", "http://"))
        assert row.files or row.manual
        assert set(row.years) <= set(range(1990, 2027))
        assert list(row.years) == sorted(set(row.years))
        for file in row.files:
            assert file.url.startswith(("https://", "http://"))
            assert file.landing == row.landing
            assert file.manual == row.manual
            for year in file.years:
                assert row.file_for(year) is file
                member = file.member_for(year)
                assert member is None or str(year)[2:] in member
                assert member is None or file.name.endswith(".zip")
            if file.checksum:
                kind, digits = file.checksum
                assert re.fullmatch(rf"[0-9a-f]{{{CHECKSUMS[kind]}}}", digits)
                assert file.checksum_source


def test_no_two_files_share_an_address_or_a_name():
    files = [file for row in addresses().values() for file in row.files]
    assert len({file.url for file in files}) == len(files)
    assert len({file.name for file in files}) == len(files)


def test_the_expected_datasets_are_there():
    assert {
        "oecd-icio-2025",
        "oecd-icio-2025-extended",
        "oecd-icio-2023",
        "oecd-icio-2023-extended",
        "wiod-2013",
        "wiod-2016",
        "figaro-2024",
        "figaro-2025",
        "exiobase-3-ixi",
        "exiobase-3-pxp",
        "adb-mrio",
        "gloria",
        "eora26",
    } <= set(addresses())


def test_a_year_finds_its_file_and_its_member():
    row = address("oecd-icio-2025")
    assert row.file_for(2019).name == "ICIO2025_2016-2022_SML.zip"
    assert row.file_for(2019).member_for(2019) == "2019_SML.csv"
    assert row.file_for(1999).url.endswith("/2025/1995-2000_SML.zip")
    assert row.years == tuple(range(1995, 2023))


def test_a_year_that_is_missing_or_not_there_is_answered_with_those_that_are():
    row = address("oecd-icio-2023")
    with pytest.raises(DataError, match=r"say which year .*1995-2020"):
        row.file_for()
    with pytest.raises(DataError, match="no year 2021; there are 1995-2020"):
        row.file_for(2021)
    assert address("wiod-2016").file_for() is address("wiod-2016").file_for(2014)


def test_a_dataset_without_address_says_what_to_do_by_hand():
    row = address("eora26")
    with pytest.raises(DataError, match=r"eora26: there is no address.*account.*https://"):
        row.file_for(2015)


def test_an_unknown_dataset_gets_a_did_you_mean():
    with pytest.raises(DataError, match="did you mean 'wiod-2016'"):
        address("wiod-2017")


def test_years_are_told_in_runs():
    assert spans((1995, 1996, 1997, 2004, 2007, 2008)) == "1995-1997, 2004, 2007-2008"


FILE = {"years": [2001, 2003], "url": "https://example.org/a_{year}.zip", "member": "{year}.csv"}
ROW = {
    "name": "some-table",
    "title": "A table",
    "reader": "figaro",
    "landing": "https://example.org",
    "seen": "nowhere",
    "files": [FILE],
}


def test_a_pattern_stands_for_one_file_a_year():
    digest = {2002: "a" * 32}
    row = read_row(
        {**ROW, "files": [{**FILE, "md5": digest, "bytes": {2003: 5}, "checksum_source": "x"}]}
    )
    assert [file.name for file in row.files] == ["a_2001.zip", "a_2002.zip", "a_2003.zip"]
    assert [file.checksum for file in row.files] == [None, ("md5", "a" * 32), None]
    assert [file.size for file in row.files] == [None, None, 5]
    assert row.file_for(2002).url == "https://example.org/a_2002.zip"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Some Table"},
        {"reader": "figarro"},
        {"landing": "example.org"},
        {"title": ""},
        {"seen": ""},
        {"files": []},
        {"typo": 1},
        {"files": [FILE, FILE]},
        {"files": [{**FILE, "url": "file:///etc/passwd"}]},
        {"files": [{**FILE, "url": "https://user:secret@example.org/a_{year}.zip"}]},
        {"files": [{**FILE, "url": "https://example.org/{id}/a_{year}.zip", "ids": {2001: "x"}}]},
        {"files": [{**FILE, "url": "https://example.org/{nothing}.zip"}]},
        {"files": [{**FILE, "years": []}]},
        {"files": [{**FILE, "years": [1, 2, 3]}]},
        {"files": [{**FILE, "years": [2003, 2002, 2001]}]},
        {"files": [{**FILE, "years": [2003, 2001]}]},
        {"files": [{**FILE, "years": "2001"}]},
        {"files": [{**FILE, "name": "../{year}.zip"}]},
        {"files": [{**FILE, "name": ".{year}.zip"}]},
        {"files": [{**FILE, "member": "{month}.csv"}]},
        {"files": [{**FILE, "md5": {2001: "A" * 32}, "checksum_source": "x"}]},
        {"files": [{**FILE, "md5": {2001: "a" * 31}, "checksum_source": "x"}]},
        {"files": [{**FILE, "md5": {2001: "a" * 32}}]},
        {"files": [{**FILE, "md5": {2004: "a" * 32}, "checksum_source": "x"}]},
        {"files": [{**FILE, "bytes": {2001: -1}}]},
        {"files": [{**FILE, "typo": 1}]},
        {"files": [{"years": [2001]}]},
    ],
)
def test_a_row_that_is_not_of_its_form_is_refused(change):
    with pytest.raises(DataError, match="addresses: "):
        read_row({**ROW, **change})
    assert isinstance(read_row(ROW), Address)
