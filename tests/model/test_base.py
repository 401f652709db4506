"""Finding, describing and loading base models, and one clear line where that can't be done."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from infinidoc.errors import InfinidocError
from infinidoc.model import base
from infinidoc.model.base import base_digest, describe, ensure, find, load_base
from infinidoc.model.embedded import DEFAULT, EMBEDDED
from tests.tiny import FAMILIES, tiny_model

COMMIT = "c0ffee" * 6 + "c0ff"


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny llama that a test may spoil."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def edit(file: Path, **changes: object) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, **changes}))


def complaint(act: Callable[[], object]) -> str:
    """The one line that it fails with."""
    with pytest.raises(InfinidocError) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    return message


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_loads_frozen(family: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tiny_model(tmp_path / family, family)
    capfd.readouterr()
    loaded = load_base(str(folder))
    assert capfd.readouterr() == ("", "")
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert loaded.device.type == loaded.model.device.type
    assert loaded.dtype == loaded.model.dtype == torch.float32

    text = "The name of the ship: <|im_end|> 12   5"
    ids = loaded.encode(text)
    assert ids == loaded.tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
    theirs = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        assert torch.equal(loaded.model(torch.tensor([ids])).logits, theirs(torch.tensor([ids])).logits)

    card, config = describe("tiny", folder), theirs.config
    assert card.family == family
    assert card.parameters == sum(parameter.numel() for parameter in theirs.parameters())
    assert (card.layers, card.heads, card.kv_heads, card.head_dim) == (3, 4, 2, 16)
    assert (card.vocabulary, card.context) == (config.vocab_size, config.max_position_embeddings)
    assert card.dtype == "float32"


def test_the_tokenizer_is_the_models_own(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As its tokenizer.json has it, whatever class its config names."""
    edit(model / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer")
    loaded = load_base(str(model))
    assert capfd.readouterr() == ("", "")
    assert loaded.tokenizer.tokenize("1234") == ["1", "2", "3", "4"]
    chat = loaded.tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert chat == "<|im_start|>user\nhi<|im_end|>\n"


def test_dtype_and_device_can_be_asked_for(model: Path) -> None:
    loaded = load_base(str(model), device="cpu", dtype=torch.bfloat16)
    assert loaded.dtype == loaded.model.dtype == torch.bfloat16


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there(model: Path) -> None:
    assert complaint(lambda: load_base(str(model), device="cuda")).startswith("no device cuda here (")
    assert complaint(lambda: load_base(str(model), device="toaster")).startswith("no device toaster here (")


def test_the_name_is_what_was_asked_or_the_environments_or_the_embedded(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert base.base_name() == DEFAULT
    monkeypatch.setenv("INFINIDOC_MODEL", str(model))
    assert base.base_name() == str(model)
    assert find() == model
    assert base.base_name("org/name") == "org/name"


def test_a_directory_wins_over_the_hub_and_may_be_relative(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    shutil.copytree(model, "org/name")
    assert find("org/name") == (model.parent / "org/name").resolve()
    assert find("./model") == model


# The digest


def test_the_digest_is_of_content_and_not_of_place(model: Path, tiny: Path) -> None:
    assert base_digest(str(model)) == base_digest(str(tiny))
    assert len(base_digest(str(model))) == 64


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_the_digest_changes_with_the_model(model: Path, file: str) -> None:
    before = base_digest(str(model))
    content = bytearray((model / file).read_bytes())
    content[-2] ^= 1  # the same size
    os.utime(model / file, ns=(0, 0))
    (model / file).write_bytes(content)
    assert base_digest(str(model)) != before


def test_what_is_said_in_a_chat_does_not_change_the_digest(model: Path) -> None:
    before = base_digest(str(model))
    (model / "chat_template.jinja").write_text("another")
    assert base_digest(str(model)) == before


def test_a_file_is_hashed_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = base_digest(str(model))

    def refuse(*args: object) -> None:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    assert base_digest(str(model)) == before


def test_a_damaged_memo_or_a_home_that_cannot_be_written_only_costs_time(model: Path, home: Path) -> None:
    before = base_digest(str(model))
    for spoiled in ("{", "[]", "null", '{"x": 1}'):
        (home / "models" / "digests.json").write_text(spoiled)
        assert base_digest(str(model)) == before
    shutil.rmtree(home)
    home.write_text("")
    assert base_digest(str(model)) == before


def test_no_digest_of_a_model_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "fresh"))
    assert complaint(base_digest) == f"{DEFAULT} isn't on this machine: infinidoc models pull {DEFAULT}"


# Directories that can't be a base


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    for name in ("nothing", str(tmp_path / "nothing"), "a/b/c", "../up"):
        assert complaint(lambda name=name: load_base(name)).startswith(f"no model {name}: give a directory, a hub id")


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_file_is_missing(model: Path, file: str) -> None:
    (model / file).unlink()
    assert complaint(lambda: load_base(str(model))).startswith(f"no {file} in {model}: ")


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("keep", [0, 7, 500])
def test_a_file_is_cut_off(model: Path, file: str, keep: int) -> None:
    (model / file).write_bytes((model / file).read_bytes()[:keep])
    message = complaint(lambda: load_base(str(model)))
    assert message.startswith((f"{model / file} is damaged (", f"can't load {model} ("))


@pytest.mark.parametrize(
    "content", ["[]", '{"model_type": "llama"}', '{"model_type": "llama", "num_attention_heads": null}']
)
def test_a_config_that_says_too_little(model: Path, content: str) -> None:
    (model / "config.json").write_text(content)
    assert complaint(lambda: load_base(str(model))).startswith(f"{model / 'config.json'} is damaged (")


@pytest.mark.parametrize("family", ["bert", "gpt2", "gemma3", "t5", None])
def test_a_family_that_infinidoc_does_not_know(model: Path, family: str | None) -> None:
    edit(model / "config.json", model_type=family)
    message = complaint(lambda: load_base(str(model)))
    assert message.startswith(f"{model} is of the family {family}: infinidoc knows gemma3_text, granite, llama,")


def test_weights_are_missing(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, model / "model.safetensors")
    message = complaint(lambda: load_base(str(model)))
    assert message.startswith(f"{model} lacks weights, model.layers.1.mlp.up_proj.weight among them")


def test_weights_of_another_shape(model: Path) -> None:
    edit(model / "config.json", intermediate_size=100)
    assert complaint(lambda: load_base(str(model))).startswith(f"can't load {model} (")


def test_a_tokenizer_of_another_model(model: Path) -> None:
    edit(model / "config.json", vocab_size=300)
    weights = load_file(model / "model.safetensors")
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:300].clone()
    save_file(weights, model / "model.safetensors")
    assert complaint(lambda: load_base(str(model))).startswith(
        f"the tokenizer of {model} has more tokens than the model"
    )


def shard(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, model / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, part in parts.items() for name in part}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def test_weights_in_several_files(model: Path) -> None:
    whole = load_base(str(model)).model.state_dict()
    parameters = describe("x", model).parameters
    shard(model)
    assert describe("x", model).parameters == parameters
    for name, tensor in load_base(str(model)).model.state_dict().items():
        assert torch.equal(tensor, whole[name])
    (model / "model-2.safetensors").unlink()
    assert complaint(lambda: load_base(str(model))).startswith(f"no model-2.safetensors in {model}: ")
    (model / "model.safetensors.index.json").write_text("{}")
    assert complaint(lambda: load_base(str(model))).startswith(f"{model / 'model.safetensors.index.json'} is damaged (")


# The hub


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
    return [card.name for card in base.on_this_machine() if card.name not in EMBEDDED]


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
            monkeypatch.setattr(base, "HUB_SECONDS", 1)
        use_hub(f"http://127.0.0.1:{server.getsockname()[1]}", tmp_path, monkeypatch)
        start = time.monotonic()
        message = complaint(lambda: ensure("org/tiny"))
        assert time.monotonic() - start < 60  # and not the minutes that a download goes on trying
    assert message.startswith("can't get org/tiny from the model hub (")
    assert message.endswith("): check the network, or give a directory")
    assert capfd.readouterr() == ("", "")


# What it costs


def test_finding_and_describing_need_no_torch(tiny: Path) -> None:
    script = f"""
import sys
from infinidoc.model.base import base_digest, describe, find
path = find({str(tiny)!r})
describe("tiny", path), base_digest({str(tiny)!r})
print([name for name in ("torch", "transformers", "tiktoken") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


@pytest.mark.real
def test_the_real_model_starts_quickly(real_base: base.BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a second once torch and transformers are there: 900,000 calls, and no file is hashed again."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    monkeypatch.setattr(hashlib, "file_digest", None)
    sys.setprofile(count)
    try:
        load_base()
    finally:
        sys.setprofile(None)
    assert calls < 2_000_000


def test_quiet_gives_back_what_it_took() -> None:
    from transformers.utils import logging

    for verbosity in (logging.INFO, logging.ERROR):
        logging.set_verbosity(verbosity)
        with base.quiet():
            assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.ERROR, False)
        assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (verbosity, True)
    logging.set_verbosity_warning()


def test_segments_start_with_what_separated_documents_in_pretraining(tiny, real_base):
    """SmolLM2's tokenizer adds no BOS of its own."""
    assert load_base(str(tiny)).start == [0]
    assert real_base.start == [real_base.tokenizer.convert_tokens_to_ids("<|endoftext|>")] == [0]


def test_precision_from_the_environment(tiny, monkeypatch):
    monkeypatch.setenv("INFINIDOC_PRECISION", "bf16")
    assert load_base(str(tiny)).model.dtype is torch.bfloat16
    monkeypatch.setenv("INFINIDOC_PRECISION", "fp8")
    with pytest.raises(InfinidocError, match="INFINIDOC_PRECISION is fp8: choose fp32, bf16 or int8"):
        load_base(str(tiny))
