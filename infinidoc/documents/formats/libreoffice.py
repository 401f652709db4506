"""Word and PowerPoint files of before 2007: LibreOffice, where there is one, turns them into those of today."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import olefile

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import MAX_BYTES, docx, pptx

_SECONDS = 120
_PROGRAMS = ("soffice", "libreoffice", "/Applications/LibreOffice.app/Contents/MacOS/soffice")
_TODAY = {"doc": ("docx", docx), "ppt": ("pptx", pptx)}
# No macros; and what a document links to is asked for at a proxy that nobody is: nothing is fetched.
_NOWHERE = {"ProxyType": "2", "NoProxy": ""} | {
    f"{kind}Proxy{what}": value
    for kind in ("HTTP", "HTTPS", "FTP")
    for what, value in (("Name", "127.0.0.1"), ("Port", "9"))
}
_SETTINGS = {
    "org.openoffice.Office.Common/Security/Scripting": {
        "DisableMacrosExecution": "true",
        "BlockUntrustedRefererLinks": "true",
    },
    "org.openoffice.Inet/Settings": {f"ooInet{name}": value for name, value in _NOWHERE.items()},
}


def _registry() -> str:
    """The settings as a profile has them."""
    items = "".join(
        f'<item oor:path="/{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, settings in _SETTINGS.items()
        for name, value in settings.items()
    )
    return f'<?xml version="1.0"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">{items}</oor:items>'


def read(data: bytes, format: str) -> Document:
    if _is_encrypted(data):
        raise Unreadable("encrypted")
    today, reader = _TODAY[format]
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise Unreadable(f"an old Office format: install LibreOffice, or save it as {today}")
    return reader.read(_converted(program, data, format, today), format)


def _is_encrypted(data: bytes) -> bool:
    """Fails for what is no OLE file, or not whole."""
    with olefile.OleFileIO(data) as source:
        if source.exists("EncryptedSummary"):  # a presentation's
            return True
        head = source.openstream("WordDocument").read(12) if source.exists("WordDocument") else bytes(12)
        return bool(head[11] & 1)


def _converted(program: str, data: bytes, format: str, today: str) -> bytes:
    """What the program makes of it, in a directory and with a profile of its own, which are gone afterwards."""
    with TemporaryDirectory(prefix="infinidoc-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "profile" / "user").mkdir(parents=True)
        (folder / "profile" / "user" / "registrymodifications.xcu").write_text(_registry())
        (folder / f"a.{format}").write_bytes(data)
        result = folder / f"a.{today}"
        command = [program, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--norestore"]
        command += ["--convert-to", today, "--outdir", name, str(folder / f"a.{format}")]
        _run(command, folder, result)
        if not result.is_file():
            raise Unreadable("LibreOffice can't convert it: damaged?")
        if result.stat().st_size > MAX_BYTES:
            raise Unreadable(f"larger than {MAX_BYTES >> 20} MB as {today}: split it")
        return result.read_bytes()


def _run(command: list[str], folder: Path, result: Path) -> None:
    """Until it ends, takes too long or writes too much; then its children are gone as well."""
    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    except OSError as error:
        raise Unreadable(f"LibreOffice doesn't start: {(error.strerror or 'no reason given').lower()}") from error
    end = time.monotonic() + _SECONDS
    try:
        while process.poll() is None:
            if time.monotonic() > end:
                raise Unreadable(f"LibreOffice took more than {_SECONDS} seconds: save it as {result.suffix[1:]}")
            if result.exists() and result.stat().st_size > MAX_BYTES:
                return
            time.sleep(0.05)
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()
