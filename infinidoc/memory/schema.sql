-- The manifest of a collection, format 6. It names every tensor file; a file that it doesn't name doesn't exist.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content TEXT NOT NULL,              -- SHA-256 of text and marks: what makes two files the same document
    format TEXT NOT NULL,
    pages INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    marks TEXT NOT NULL,                -- JSON [[start, label], …]
    text TEXT NOT NULL,
    ingested_at TEXT NOT NULL,          -- UTC, ISO 8601
    complete INTEGER NOT NULL,          -- 0 while later passages have not been read
    notes TEXT NOT NULL DEFAULT '[]'    -- JSON ["what of the file could not be read", …]
);
CREATE INDEX documents_by_content ON documents(content);

-- Where a document stands on the disk: in one file or, where there are copies, in several.
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,          -- "./…" below the collection's project, else absolute, or "stdin-…"
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    digest TEXT NOT NULL,               -- SHA-256 of the file's bytes
    bytes INTEGER NOT NULL,
    modified TEXT NOT NULL DEFAULT ''   -- when it was last changed when it was read: UTC, ISO 8601
);
CREATE INDEX files_by_document ON files(document);

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

-- Segments that the compressive memory doesn't hold yet. The second pass of an ingest reads them, window by window.
CREATE TABLE pending (
    document INTEGER NOT NULL,
    start INTEGER NOT NULL,
    number INTEGER NOT NULL,            -- of the window
    place INTEGER NOT NULL,             -- in the window, from 0
    tokens INTEGER NOT NULL,
    begun TEXT NOT NULL,                -- the file of what the first pass left of the window; '' if there is none
    PRIMARY KEY (document, start),
    FOREIGN KEY (document, start) REFERENCES segments(document, start) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX pending_by_window ON pending(number, place);
CREATE INDEX pending_by_begun ON pending(begun);

-- What is left of a document that a model has read from start to end, or as far as it came: keys and values kept word for
-- word (slots). Another model, adapter or number of slots has a memory of its own.
CREATE TABLE memories (
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    model TEXT NOT NULL,                -- its digest
    adapter TEXT NOT NULL,              -- its digest; '' without one
    slots TEXT NOT NULL,                -- how many, and by what they were chosen
    end INTEGER NOT NULL,               -- how far it has read: characters of the document's text
    file TEXT NOT NULL,
    PRIMARY KEY (document, model, adapter, slots)
) WITHOUT ROWID;
CREATE INDEX memories_by_file ON memories(file);

CREATE TABLE log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asked_at TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT,                        -- NULL once a document that it was given from has been removed
    answered INTEGER NOT NULL,          -- 0 where nothing in the collection bore on the question
    memory_only INTEGER NOT NULL,
    model TEXT NOT NULL,
    timings TEXT NOT NULL               -- JSON, seconds
);

-- What an answer was given from: places, not text, so that nothing is quoted here that has been removed.
CREATE TABLE citations (
    entry INTEGER NOT NULL REFERENCES log(id) ON DELETE CASCADE,
    rank INTEGER NOT NULL,              -- 0 is the best
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    start INTEGER NOT NULL,             -- characters of the document's text
    end INTEGER NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (entry, rank)
) WITHOUT ROWID;
CREATE INDEX citations_by_document ON citations(document);
