"""What docx, pptx, xlsx and epub have in common: they are zip archives."""

import io
import zipfile

from infinidoc.documents.document import Unreadable

MAX_UNPACKED = 512 << 20  # bytes; a few kilobytes of zip can hold terabytes


def open_archive(data: bytes) -> zipfile.ZipFile:
    """Raises Unreadable for an archive that is encrypted, no archive at all, or enormous once unpacked."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OverflowError):
        raise Unreadable("damaged: not a complete zip archive") from None
    members = archive.infolist()
    if sum(member.file_size for member in members) > MAX_UNPACKED:
        raise Unreadable(f"larger than {MAX_UNPACKED >> 20} MB once unpacked")
    if any(member.flag_bits & 1 for member in members):
        raise Unreadable("encrypted")
    return archive
