"""Writes OLE compound files (MS-CFB), as old Office programs and Outlook do: streams in storages."""

import struct

_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
_NONE = 0xFFFFFFFF


def compound(streams: dict[str, bytes]) -> bytes:
    """An OLE file with these streams, by paths such as "storage/stream"."""
    tree: dict = {}
    for path, data in streams.items():
        *folders, name = path.split("/")
        inside = tree
        for folder in folders:
            inside = inside.setdefault(folder, {})
        inside[name] = data
    sectors: list[bytes] = []
    fat: list[int] = []
    small = bytearray()
    small_fat: list[int] = []

    def chain(data: bytes) -> int:
        pieces = [data[at : at + _SECTOR].ljust(_SECTOR, b"\0") for at in range(0, len(data), _SECTOR)]
        first = len(sectors)
        fat.extend([*range(first + 1, first + len(pieces)), _END] if pieces else [])
        sectors.extend(pieces)
        return first if pieces else _END

    def mini(data: bytes) -> int:
        first, count = len(small_fat), -(-len(data) // _MINI)
        small.extend(data.ljust(count * _MINI, b"\0"))
        small_fat.extend([*range(first + 1, first + count), _END] if count else [])
        return first if count else _END

    entries: list[list] = [["Root Entry", 5, _NONE, _NONE, 0, 0]]  # name, kind, right, child, first sector, size

    def add(folder: dict) -> int:
        """The number of the first entry of a folder; the others hang to its right, sorted as the format wants."""
        first, before = _NONE, None
        for name in sorted(folder, key=lambda one: (len(one), one.upper())):
            content = folder[name]
            number = len(entries)
            if isinstance(content, dict):
                entries.append([name, 1, _NONE, _NONE, 0, 0])
                entries[number][3] = add(content)
            else:
                start = chain(content) if len(content) >= _CUTOFF else mini(content)
                entries.append([name, 2, _NONE, _NONE, start, len(content)])
            first = number if before is None else first
            if before is not None:
                entries[before][2] = number
            before = number
        return first

    entries[0][3] = add(tree)
    entries[0][4], entries[0][5] = chain(bytes(small)), len(small)
    directory = b"".join(
        struct.pack(
            "<64sHBBIII16sIQQIQ",
            name.encode("utf-16-le"), 2 * len(name) + 2, kind, 1, _NONE, right, child, b"", 0, 0, 0, start, size,
        )
        for name, kind, right, child, start, size in entries
    )  # fmt: skip
    first_entry = chain(directory.ljust(-(-len(directory) // _SECTOR) * _SECTOR, b"\0"))
    minis = struct.pack(f"<{len(small_fat)}I", *small_fat)
    first_mini = chain(minis.ljust(-(-len(minis) // _SECTOR) * _SECTOR, b"\xff"))
    count = 1
    while count * _SECTOR // 4 < len(fat) + count:
        count += 1
    first_fat = len(sectors)
    fat += [_FAT] * count
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(count * _SECTOR, b"\xff")
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, count, first_entry, 0, _CUTOFF,
        first_mini if small_fat else _END, len(minis) // _SECTOR + 1 if small_fat else 0, _END, 0,
    )  # fmt: skip
    places = [*range(first_fat, first_fat + count), *[_FREE] * (109 - count)]
    return header + struct.pack("<109I", *places) + b"".join(sectors) + table
