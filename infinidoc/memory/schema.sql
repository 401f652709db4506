-- The manifest of a collection. It names every tensor file; a file that it doesn't name doesn't exist.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,          -- absolute, or "stdin-…"
    digest TEXT NOT NULL,               -- SHA-256 of the file's bytes
    bytes INTEGER NOT NULL,
    format TEXT NOT NULL,
    pages INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    marks TEXT NOT NULL,                -- JSON [[start, label], …]
    text TEXT NOT NULL,
    ingested_at TEXT NOT NULL,          -- UTC, ISO 8601
    complete INTEGER NOT NULL           -- 0 while later passages have not been read
);

CREATE TABLE address_files (
    name TEXT PRIMARY KEY,              -- names itself by the digest of its content
    rows INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    start INTEGER NOT NULL,             -- characters of the document's text
    end INTEGER NOT NULL,
    file TEXT NOT NULL REFERENCES address_files(name),
    row INTEGER NOT NULL,               -- the first of its tokens' addresses in that file
    tokens INTEGER NOT NULL
);
CREATE INDEX passages_by_document ON passages(document, start);
CREATE INDEX passages_by_row ON passages(file, row);

-- The batch in which the model read a segment, which runs from a passage up to the next segment's: `rows` segments of
-- `width` tokens. It is read in the same place again to be taken out of the memory without remainder.
CREATE TABLE segments (
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    start INTEGER NOT NULL,             -- that of its first passage
    rows INTEGER NOT NULL,
    width INTEGER NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY (document, start)
) WITHOUT ROWID;

CREATE TABLE log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asked_at TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    answered INTEGER NOT NULL,          -- 0 where nothing in the collection bore on the question
    memory_only INTEGER NOT NULL,
    model TEXT NOT NULL,
    sources TEXT NOT NULL,              -- JSON
    timings TEXT NOT NULL               -- JSON, seconds
);
