"""A collection's addresses on the disk, by which questions find passages: a row for each token, in full or as codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from infinidoc.memory import tensors
from infinidoc.memory.records import AddressBlock
from infinidoc.memory.rows import Rows, RowStore

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor

    from infinidoc.model.codes import Codes

ADDRESS_FILE_ROWS = 65_536  # 8 MiB
OPENING = """(SELECT first.id FROM passages AS first WHERE first.document = passages.document
              ORDER BY first.start LIMIT 1)"""  # the passage that a passage's document opens with


class Addresses(RowStore):
    """The part of a store that keeps them. Every passage owns rows of one of their files.

    New ones are kept in full, 128 bytes each. Where `small_addresses` are wanted, `compress_addresses` makes 16 of them
    as soon as there are enough to learn codes from; those of later documents then use the same codes.
    """

    owned = Rows("addresses", "passages", "address_files", "tokens", "MIN(id)", ADDRESS_FILE_ROWS)

    def address_head(self) -> dict[str, Tensor]:
        """The tensors that make this collection's addresses."""
        return self._named("address_head", tensors.read)

    def addresses(self, after: int = 0) -> list[AddressBlock]:
        """All addresses as they are at this moment, block by block: of files that hold a passage later than `after`."""
        query = f"""SELECT file, id, row, {OPENING} FROM passages
                    WHERE ?1 = 0 OR file IN (SELECT file FROM passages WHERE id > ?1) ORDER BY file, row"""

        def read() -> list[AddressBlock]:
            blocks = []
            for file, owners in groupby(self._query(query, (after,)), itemgetter(0)):
                _, passages, rows, openings = zip(*owners, strict=True)
                blocks.append(AddressBlock(self._addresses_in(file), list(passages), list(rows), list(openings)))
            return blocks

        return self._looked_up(read)

    def block_of(self, passages: Sequence[int]) -> AddressBlock:
        """The addresses of these passages, of those that are still there, copied into one block."""
        import torch

        query = f"""SELECT file, id, row, tokens, {OPENING} FROM passages
                    WHERE id IN (SELECT value FROM json_each(?)) ORDER BY file, row"""
        pieces, found, rows, openings, total = [], [], [], [], 0
        opened: dict[str, Tensor | Codes] = {}
        for file, passage, row, size, opening in self._query(query, (json.dumps(list(passages)),)):
            if file not in opened:
                try:
                    opened[file] = self._addresses_in(file)
                except FileNotFoundError:  # a writer has just moved it
                    continue
            piece = opened[file][row : row + size]
            pieces.append(piece if isinstance(piece, torch.Tensor) else piece.float())
            found.append(passage)
            rows.append(total)
            openings.append(opening)
            total += size
        width = self._named("address_head", tensors.shapes)["projection"][1]
        addresses = torch.cat(pieces) if pieces else torch.empty(0, width, dtype=torch.int8)
        return AddressBlock(addresses, found, rows, openings)

    def openings(self, passages: Sequence[int]) -> dict[int, int]:
        """The passages that the documents of these open with."""
        query = f"SELECT id, {OPENING} FROM passages WHERE id IN (SELECT value FROM json_each(?))"
        return dict(self._query(query, (json.dumps(list(passages)),)))

    def write_addresses(self, addresses: Tensor) -> str:
        """Keeps addresses (rows, 128) int8 for a commit to come; returns the file's name."""
        return self._write_rows(addresses)

    @property
    def small_addresses(self) -> bool:
        return bool(self.meta("small_addresses"))

    def compress_addresses(self) -> None:
        """Keeps as codes what isn't yet, if the collection is to and has enough of it. Belongs inside `writing()`."""
        from infinidoc.model import codes

        widths = self._widths() if self.small_addresses else {}
        full = [file for file, width in widths.items() if width != codes.PIECES]
        if not full:
            return
        old = self.meta("centroids") or ""
        name = old if len(full) < len(widths) else self._learnt(full)
        if name != old:
            with self._transaction():
                self._set_meta("centroids", name)
            self._discard([old])
        if not name:
            return
        centroids = self._named("centroids", tensors.read)["centroids"]
        for file in full:
            small = self._write_rows(codes.encode(self._read_rows(file), centroids))
            with self._transaction():
                self._name_files({small})
                self._run("UPDATE passages SET file = ? WHERE file = ?", (small, file))
                self._forget_unused([file])
                self._next_revision()
            self._discard([file])

    def _learnt(self, files: Sequence[str]) -> str:
        """The file of centroids for the addresses in these files; empty if they are too few."""
        import torch

        from infinidoc.model import codes

        addresses = torch.cat([self._read_rows(file) for file in files])
        few = len(addresses) < codes.LEAST
        return "" if few else tensors.write(self.directory, "centroids", {"centroids": codes.learn(addresses)})

    def _addresses_in(self, file: str) -> Tensor | Codes:
        import torch

        from infinidoc.model.codes import Codes

        rows = self._read_rows(file)
        return rows if rows.dtype == torch.int8 else Codes(rows, self._named("centroids", tensors.read)["centroids"])

    def _address_size(self) -> int:
        """The bytes of an address, but for what an ingest that is under way has still to compress."""
        if self.meta("centroids"):
            return self._named("centroids", tensors.shapes)["centroids"][0]
        return self._named("address_head", tensors.shapes)["projection"][1]

    def _widths(self) -> dict[str, int]:
        """The bytes of a row, of every file."""
        files = self._query("SELECT name FROM address_files")
        return {file: self._read(file, tensors.shapes)[self.owned.tensor][1] for (file,) in files}
