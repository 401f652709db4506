-- The manifest of a task. It names every tensor file; a file that it doesn't name doesn't exist.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE key_files (
    name TEXT PRIMARY KEY,              -- names itself by the digest of its content
    rows INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE examples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,        -- SHA-256 of input and output; the order in which examples are fitted
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    file TEXT NOT NULL REFERENCES key_files(name),
    row INTEGER NOT NULL,               -- of the input's key in that file
    learned_at TEXT NOT NULL            -- UTC, ISO 8601
);
CREATE INDEX examples_by_input ON examples(input);
CREATE INDEX examples_by_output ON examples(output);
CREATE INDEX examples_by_row ON examples(file, row);
