"""`bench whole`, on made-up data and the tiny model: what is measured is what was asked for, however good it is."""

import json
import lzma

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.evaluation import whole
from infinidoc.evaluation.whole import NO_MEMORY, RECALL, RECALLED, START, WHOLE, WholeBench, read_set, truncated
from infinidoc.home import home
from tests.reading.test_through import text_of

pytest.importorskip("rouge_score")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "qa" / "documents").mkdir(parents=True)
    rows, documents = [], []
    for number in range(3):
        documents.append({"id": f"log:{number}", "text": text_of(40, seed=number)})
        row = {"doc": f"log:{number}", "context": ""}
        rows.append({**row, "question": "What is the plot?", "answers": ["Ships carry salt.", "Wine is carried."]})
        rows.append({**row, "question": "What does the Amalia carry?", "answers": ["The Amalia carries salt."]})
        rows.append({**row, "question": "Of a passage?", "answers": ["No."], "context": "a passage"})
    (tmp_path / "qa" / "logs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with lzma.open(tmp_path / "qa" / "documents" / "logs.jsonl.xz", "wt") as file:
        file.writelines(json.dumps(document) + "\n" for document in documents)
    return tmp_path / "qa"


def test_a_set_is_questions_about_whole_documents(data):
    found = read_set(data, "logs", 2, 5, seed=0)
    assert len(found) == 2
    assert found == read_set(data, "logs", 2, 5, seed=0)
    for one in found:
        assert one.text == text_of(40, seed=int(one.name[-1]))
        assert [question for question, _ in one.questions] == ["What is the plot?", "What does the Amalia carry?"]
    assert len(read_set(data, "logs", 9, 1, seed=0)) == 3
    with pytest.raises(InfinidocError, match=r"no other\.jsonl"):
        read_set(data, "other", 2, 2, seed=0)
    (data / "logs.jsonl").write_text("no json")
    with pytest.raises(InfinidocError, match="can't be read"):
        read_set(data, "logs", 2, 2, seed=0)


def test_all_systems_answer_and_only_once(data, tiny, monkeypatch):
    bench = WholeBench(data, ["logs"], documents=2, questions=2, windows=(256, 300), model=str(tiny))
    result = bench.run()
    assert [row["system"] for row in result["rows"]] == bench.systems
    assert bench.systems[:2] == [truncated(256), truncated(300)]
    for row in result["rows"]:
        assert (row["documents"], row["questions"]) == (2, 4)
        low, high = row["rouge_l_interval"]
        assert 0 <= low <= row["rouge_l"] <= high <= 100
    rows = {row["system"]: row for row in result["rows"]}
    assert rows[START]["words"] == rows[RECALLED]["words"] == rows[WHOLE]["words"] > 0
    points = result["examples"][0]
    assert points[WHOLE] != points[NO_MEMORY]  # the memory has chosen
    assert points[RECALL] != points[truncated(256)]
    assert {(pair["second"], pair["measure"]) for pair in result["pairs"]} >= {
        (truncated(256), "rouge_l"),
        (RECALL, "f1"),
    }
    monkeypatch.setattr(whole.WholeDocuments, "ask", None)
    again = WholeBench(data, ["logs"], documents=2, questions=2, windows=(256, 300), model=str(tiny)).run()
    assert again["rows"] == result["rows"]


def test_more_is_asked_of_what_was_begun(data, tiny):
    def run(documents, *windows):
        return WholeBench(data, ["logs"], documents, questions=2, windows=windows, model=str(tiny)).run()

    first, second = run(1, 256), run(2, 256, 300)
    assert second["examples"][0] == first["examples"][0] | {truncated(300): second["examples"][0][truncated(300)]}
    (home() / "bench").rename(home() / "moved")
    assert run(2, 300)["examples"] == [
        {k: v for k, v in one.items() if k != truncated(256)} for one in second["examples"]
    ]


def test_the_memory_is_there_for_a_later_question_too(data, tiny):
    rows = (data / "logs.jsonl").read_text().replace("What does the Amalia carry?", "What is it all about?")
    (data / "logs.jsonl").write_text(rows)
    WholeBench(data, ["logs"], documents=1, questions=2, windows=(256, 300), model=str(tiny)).run()
    (one,) = read_set(data, "logs", 1, 2, seed=0)
    kept = json.loads(next((home() / "bench").glob("whole-*.json")).read_text())
    said = {system: kept[whole._key(one, one.questions[1][0], system)]["answer"] for system in (WHOLE, NO_MEMORY)}
    assert said[WHOLE] != said[NO_MEMORY]


def test_rouge_is_the_longest_common_subsequence_of_stems_with_the_best_answer():
    assert whole.rouge_l("the cat sits", ("a dog", "the cat sat")) == pytest.approx(100 * 2 / 3)
    assert whole.rouge_l("ships carrying salt", ("ship carries salt",)) == pytest.approx(100.0)
    assert whole.rouge_l("", ("anything",)) == 0.0
