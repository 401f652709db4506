"""Models from a hub: fetched once, and one line where that can't be done."""

import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from infinidoc.model import catalogue
from infinidoc.model.base import load_base
from infinidoc.model.catalogue import base_digest, ensure, find
from infinidoc.model.embedded import EMBEDDED
from tests.model.base.bases import complaint, edit

COMMIT = "c0ffee" * 6 + "c0ff"


class Hub(BaseHTTPRequestHandler):
    """As much of a model hub as a download needs."""

    models: dict[str, Path]
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        for name, folder in self.models.items():
            names = [*(file.name for file in folder.iterdir()), "onnx/model.safetensors"]
            if self.path.startswith(f"/api/models/{name}/tree"):
                tree = [{"type": "file", "path": path, "size": 1, "oid": COMMIT} for path in names]
                return self.reply(json.dumps(tree).encode())
            if self.path.startswith(f"/api/models/{name}"):
                files = [{"rfilename": path} for path in names]
                return self.reply(json.dumps({"id": name, "sha": COMMIT, "siblings": files}).encode())
            if self.path.startswith(f"/{name}/resolve/"):
                return self.reply((folder / self.path.rsplit("/", 1)[1]).read_bytes())
        return self.reply(b"{}", 401, {"X-Error-Code": "RepoNotFound"})

    def reply(self, content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        for header, value in {"ETag": etag, "X-Repo-Commit": COMMIT, **(headers or {})}.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A hub on this machine that has `org/tiny`, and an empty cache."""
    monkeypatch.setattr(Hub, "models", {"org/tiny": tiny}, raising=False)
    monkeypatch.setattr(Hub, "asked", [], raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    use_hub(f"http://127.0.0.1:{server.server_port}", tmp_path, monkeypatch)
    yield Hub
    server.shutdown()
    server.server_close()


def use_hub(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def cached() -> list[str]:
    """The models of the hub that are on this machine. Which embedded ones are doesn't matter."""
    return [card.name for card in catalogue.on_this_machine() if card.name not in EMBEDDED]


def test_a_model_is_fetched_from_the_hub_once(hub: type[Hub], tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert find("org/tiny") is None
    loaded = load_base("org/tiny")
    assert capfd.readouterr() == ("", "")
    assert loaded.name == "org/tiny"
    assert loaded.digest == base_digest(str(tiny))
    assert any(request.endswith("/model.safetensors") for request in hub.asked)
    assert not any("onnx" in request for request in hub.asked if "resolve" in request)
    hub.asked.clear()
    assert load_base("org/tiny").digest == loaded.digest
    assert hub.asked == []
    assert cached() == ["org/tiny"]


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_half_a_model_in_the_cache_is_completed(hub: type[Hub], file: str) -> None:
    (ensure("org/tiny") / file).unlink()
    assert find("org/tiny") is None
    assert load_base("org/tiny").path == find("org/tiny")


def test_what_another_program_fetched_will_do(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("config.json", "model.safetensors", "tokenizer.json"):
        huggingface_hub.hf_hub_download("org/tiny", file)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert load_base("org/tiny").name == "org/tiny"


def test_other_models_in_the_cache_are_not_listed(hub: type[Hub], model: Path) -> None:
    edit(model / "config.json", model_type="bert")
    hub.models["org/other"] = model
    ensure("org/other")
    assert cached() == []


def test_the_hub_has_no_such_model(hub: type[Hub]) -> None:
    assert complaint(lambda: ensure("org/none")) == (
        "the model hub has no org/none for you: check the name, or set HF_TOKEN"
    )


def test_offline_is_honoured(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert complaint(lambda: ensure("org/tiny")) == "org/tiny isn't on this machine: unset HF_HUB_OFFLINE to fetch it"
    assert hub.asked == []


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "says nothing"])
def test_no_hub_is_one_line_within_seconds(
    silent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if silent:  # it takes connections, and never answers
            server.listen()
            monkeypatch.setattr(catalogue, "HUB_SECONDS", 1)
        use_hub(f"http://127.0.0.1:{server.getsockname()[1]}", tmp_path, monkeypatch)
        start = time.monotonic()
        message = complaint(lambda: ensure("org/tiny"))
        assert time.monotonic() - start < 60  # and not the minutes that a download goes on trying
    assert message.startswith("can't get org/tiny from the model hub (")
    assert message.endswith("): check the network, or give a directory")
    assert capfd.readouterr() == ("", "")
