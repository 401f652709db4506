"""Question files in every format, and one clear line for each way in which they go wrong."""

import json

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.questions import Question, parse_questions, question_digest, read_questions

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Sea/Birds",
            "paragraphs": [
                {
                    "context": "Gulls eat fish.",
                    "qas": [
                        {"id": "1", "question": "What do gulls  eat?", "answers": [{"text": "fish"}, {"text": "fish"}]},
                        {"id": "2", "question": "Where do gulls live?", "answers": [], "is_impossible": True},
                    ],
                },
                {"context": "Terns dive.", "qas": [{"question": "Who dives?", "answers": [{"text": "Terns"}]}]},
            ],
        },
        {"paragraphs": [{"context": "Gulls eat fish.", "qas": []}]},
    ],
}


def plain(questions):
    return [(question.text, question.answers, question.source) for question in questions]


def test_squad_brings_its_documents_one_per_paragraph():
    file = parse_questions("dev.json", json.dumps(SQUAD).encode())
    first, second = "0001-Sea-Birds/001.txt", "0001-Sea-Birds/002.txt"
    assert file.documents == {first: "Gulls eat fish.", second: "Terns dive."}
    assert plain(file.questions) == [
        ("What do gulls eat?", ("fish",), first),
        ("Where do gulls live?", (), None),
        ("Who dives?", ("Terns",), second),
    ]


def test_json_lines():
    rows = [
        {"question": "A?", "answers": ["x", "y"], "source": "docs/a.txt"},
        {"question": "B?", "answer": "x", "document": "b.txt"},
        {"question": "C?", "answers": []},
        {"question": "D?"},
        {"question": "E?", "answers": {"text": ["hub"], "answer_start": [3]}},
        {"question": "F?", "answer": 7},
    ]
    content = "\n\n".join(map(json.dumps, rows)).encode()
    assert plain(parse_questions("q.jsonl", content).questions) == [
        ("A?", ("x", "y"), "docs/a.txt"),
        ("B?", ("x",), "b.txt"),
        ("C?", (), None),
        ("D?", None, None),
        ("E?", ("hub",), None),
        ("F?", ("7",), None),
    ]
    assert plain(parse_questions("q.json", json.dumps([*rows[:1], "G?"]).encode()).questions) == [
        ("A?", ("x", "y"), "docs/a.txt"),
        ("G?", None, None),
    ]


def test_tables():
    content = '\ufeffQuestion,answers,Source\n"Who, then?","[""Ann"", ""Anna""]",a.txt\nWhen?,1874,\nWhy?,,\n'
    expected = [("Who, then?", ("Ann", "Anna"), "a.txt"), ("When?", ("1874",), None), ("Why?", None, None)]
    assert plain(parse_questions("q.csv", content.encode()).questions) == expected
    content = "question\tanswer\tis_impossible\nWho?\tAnn\tfalse\nWhy?\t\ttrue\n"
    assert plain(parse_questions("q.tsv", content.encode()).questions) == [("Who?", ("Ann",), None), ("Why?", (), None)]
    assert plain(parse_questions("q.csv", b"question;answer\nWho?;Ann, Bob\n").questions) == [
        ("Who?", ("Ann, Bob",), None)
    ]


def test_lines_of_text():
    assert plain(parse_questions("standard input", b"Who?\n\n  When?  \n").questions) == [
        ("Who?", None, None),
        ("When?", None, None),
    ]


def test_ids_differ_and_stay():
    content = b'{"question": "Who?"}\n{"question": "Who?"}\n{"question": "Who?", "answer": "Ann"}\n'
    ids = [question.id for question in parse_questions("q.jsonl", content).questions]
    assert len(set(ids)) == 3
    assert ids == [question.id for question in parse_questions("other.jsonl", content).questions]


def test_a_sample_is_the_same_for_a_seed_and_keeps_the_order():
    file = parse_questions("standard input", "\n".join(f"Question {number}?" for number in range(50)).encode())
    chosen = file.sample(10, seed=4)
    assert chosen == file.sample(10, seed=4) != file.sample(10, seed=5)
    assert [q for q in file.questions if q in chosen] == chosen
    assert len(chosen) == 10
    assert file.sample(None, 0) == file.sample(50, 0) == file.questions


def test_the_digest_of_a_question_forgives_spelling_not_content():
    assert question_digest("Who built the lighthouse?") == question_digest(" who built lighthouse")
    assert question_digest("Who built the lighthouse?") != question_digest("Who burnt the lighthouse?")
    assert len(question_digest("Who?")) == 64


BAD = [
    ("q.jsonl", b'{"question": "A?"}\nnot json\n', "q.jsonl, line 2, isn't JSON"),
    ("q.jsonl", b'["A?"]\n', "line 1, isn't an object"),
    ("q.jsonl", b'{"answer": "x"}\n', "line 1, has no question"),
    (
        "q.jsonl",
        b'{"question": "A?", "answers": {"x": 1}, "answer": 3}\n{"question": "B?", "answers": [[]]}',
        "line 2,",
    ),
    ("q.jsonl", b"\n\n", "q.jsonl has no questions"),
    ("q.json", b"{", "q.json isn't JSON"),
    ("q.json", b"{}", "neither SQuAD JSON nor a list"),
    ("q.json", b'{"data": [{"paragraphs": [{"qas": []}]}]}', "article 1, paragraph 1, no 'context'"),
    ("q.json", b'{"data": [{"paragraphs": [{"context": "x", "qas": [{"question": "A?"}]}]}]}', "no 'answers'"),
    ("q.json", b'{"data": 3}', "isn't SQuAD JSON"),
    ("q.json", b'{"data": []}', "q.json has no questions"),
    ("q.csv", b"text,answer\nA?,x\n", "q.csv has no column question"),
    ("q.csv", b'question,answer\nA?,x\n"B?,y', "q.csv, line"),
    ("q.csv", b'question,answers\nA?,"[1"\n', "line 2, isn't JSON"),
    ("q.csv", b"", "no column question"),
    ("q.txt", b"\xff\xfe\x00", "not text in UTF-8"),
    ("q.pdf", b"%PDF", "no reader for questions in q.pdf"),
]


@pytest.mark.parametrize(("name", "content", "says"), BAD)
def test_bad_files_get_one_clear_line(name, content, says):
    with pytest.raises(InfinidocError) as caught:
        parse_questions(name, content)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InfinidocError, match="is a directory"):
        read_questions(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_questions(tmp_path / "none.json")
    file = tmp_path / "q.txt"
    file.write_text("Who?")
    assert read_questions(file).questions == [Question(read_questions(file).questions[0].id, "Who?")]


def test_our_own_questions_are_readable():
    from pathlib import Path

    file = read_questions(Path(__file__).parents[2] / "examples" / "questions.jsonl")
    assert sum(bool(question.answers) for question in file.questions) == 40
    assert sum(question.answers == () for question in file.questions) == 6
