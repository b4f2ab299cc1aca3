"""A web server on loopback: files, also in parts, broken connections, and a model hub."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Loopback:
    """What is served, and what was asked for.

    Args:
        folder: the files; models of the hub are below `hub/<owner>/<name>/`, data sets below
            `hub/datasets/<owner>/<name>/`.
        breaks: for a path, after how many bytes its next answer breaks off.
        asked: (path, the first byte asked for) of each GET.
        authorized: the authorization headers of requests.
    """

    folder: Path
    url: str = ""
    whole_only: bool = False
    breaks: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    authorized: list[str] = field(default_factory=list)


@contextmanager
def loopback(folder: Path) -> Iterator[Loopback]:
    """Makes a folder and serves it at the yielded address."""
    folder.mkdir(parents=True, exist_ok=True)
    state = Loopback(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            """Says nothing."""

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def refuse(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def answer(self, *, body: bool) -> None:
            state.authorized += self.headers.get_all("Authorization", [])
            path = self.path.split("?")[0].strip("/")
            parts = path.split("/")
            extra: dict[str, str] = {}
            of_data = [part for part in parts[:2] if part == "datasets"]
            rest = parts[len(of_data) :]
            if parts[:1] == ["api"] and parts[4:5] == ["revision"]:
                content = hub_listing(state.folder.joinpath("hub", *of_data, *parts[2:4]))
            elif rest[2:3] == ["resolve"]:
                file = state.folder.joinpath("hub", *of_data, *rest[:2], *rest[4:])
                content = content_of(file)
                extra = {"X-Repo-Commit": COMMIT}
            else:
                content = content_of(state.folder / path)
            if content is None:
                return self.refuse(404)
            first = 0
            asked = self.headers.get("Range", "")
            if asked.startswith("bytes=") and not state.whole_only:
                first = int(asked.removeprefix("bytes=").split("-")[0])
            if body:
                state.asked.append((path, first))
            if first >= len(content) > 0:
                return self.refuse(416)
            self.send_response(206 if first else 200)
            if first:
                extra["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            extra["ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            extra["Content-Length"] = str(len(content) - first)
            for name, value in extra.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                stop = state.breaks.pop(path, None)
                self.wfile.write(content[first:stop])
                if stop is not None:
                    self.close_connection = True
                    self.wfile.flush()
                    self.connection.close()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()


def content_of(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def hub_listing(folder: Path) -> bytes | None:
    """A hub's answer on a repository, as far as its client reads it."""
    if not folder.is_dir():
        return None
    siblings = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        entry: dict[str, Any] = {
            "rfilename": path.relative_to(folder).as_posix(),
            "size": len(content),
            "blobId": hashlib.sha1(content).hexdigest(),
        }
        if path.suffix not in (".json", ".md", ".txt"):
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 1}
        siblings.append(entry)
    name = "/".join(folder.parts[-2:])
    return json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode()
