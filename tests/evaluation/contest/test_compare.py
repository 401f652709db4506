"""Comparisons: what they refuse to begin, what they compute, and how they go on after an interruption."""

import json

import pytest

from infinidoc.baselines.index import Index
from infinidoc.errors import InfinidocError
from infinidoc.evaluation.contest import compare, summary, systems, worker
from infinidoc.evaluation.contest.jobs import NAMES, WINDOW, Job, ingested_file
from infinidoc.evaluation.questions import Question, parse_questions
from tests.reading.library import write_library

FACTS = {
    "seconds": 10.0,
    "tokens": 2_000,
    "kept": {"state": 5, "address": 7, "text": 11},
    "second_model_bytes": 0,
    "peak_bytes": 900,
    "skipped": [],
    "note": None,
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
}


def record(identifier, answer, ranking, answered=True, seconds=1.0, read="Some text."):
    passages = [{"document": "a.txt", "place": "line 1", "text": read}] if ranking else []
    timings = {"recall": 0.1, "first_token": seconds / 2, "total": seconds}
    return {
        "id": identifier,
        "question": "?",
        "answer": answer,
        "answered": answered,
        "ranking": ranking,
        "read": passages,
        "timings": timings,
        "peak_bytes": 1_000,
    }


def circumstances():
    return {
        "questions": {"file": "q.json", "digest": "d" * 64, "in_file": 3, "n": 3, "asked_digest": "e" * 64},
        "documents": {"paths": ["docs"], "digest": "f" * 64},
        "model": {"name": "tiny", "digest": "0123456789abcdef" * 4, "adapter": None},
        "embedder": "all-MiniLM-L6-v2",
        "seed": 0,
        "command": "infinidoc compare",
        "python": "3",
        "libraries": {"torch": "2"},
        "machine": "m",
    }


QUESTIONS = [
    Question("1", "Who built it?", ("Ellen Marsh",), "/a"),
    Question("2", "How high?", ("31 metres", "31 m"), "/b"),
    Question("3", "Which colour?", ("red",), None),
    Question("4", "Who sold it?", (), None),
]


def summarised(**answers):
    records = {name.replace("_", "-"): {r["id"]: r for r in given} for name, given in answers.items()}
    records = {("memory+recall" if name == "ours" else name): given for name, given in records.items()}
    return summary.summarise(QUESTIONS, records, dict.fromkeys(records, FACTS), seed=0)


def ours(*texts):
    return [
        record("1", texts[0], ["/a", "/b"], seconds=1),
        record("2", texts[1], ["/c", "/d", "/e", "/f", "/b"], seconds=2),
        record("3", texts[2], ["/c"], seconds=6),
        record("4", texts[3], ["/c"], answered=False, seconds=3),
    ]


def test_a_row_by_hand():
    result = summarised(ours=ours("Ellen Marsh", "it is 31 m", "I don't know.", "Nothing in this collection …"))
    (row,) = result["systems"]
    assert row["n"] == 3
    assert row["em"] == pytest.approx(100 / 3)
    assert row["f1"] == pytest.approx((100 + 100 * 2 * 2 / (4 + 2) + 0) / 3)
    assert row["contains"] == pytest.approx(200 / 3)
    assert (row["source_at_1"], row["source_at_5"], row["n_sources"]) == (0.5, 1.0, 2)
    assert row["intervals"]["source_at_5"] == (1.0, 1.0)
    assert row["intervals"]["em"][0] < row["em"] < row["intervals"]["em"][1]
    assert (row["n_answerable"], row["refused_answerable"]) == (3, pytest.approx(1 / 3))
    assert (row["n_unanswerable"], row["refused_unanswerable"]) == (1, 1.0)
    assert row["seconds_per_question"] == 2.5
    assert row["first_token_seconds"] == 1.25
    assert row["ingest_tokens_per_second"] == 200
    assert row["bytes_kept"] == 23
    assert row["peak_memory_answering"] == 1_000


def test_memory_alone_keeps_only_its_state_and_has_no_sources():
    given = [record(str(n), "x", None) for n in (1, 2, 3, 4)]
    (row,) = summarised(memory=given)["systems"]
    assert row["bytes_kept"] == 5
    assert row["source_at_1"] is None
    assert "source_at_1" not in row["intervals"]


def test_a_refusal_is_no_answer_however_it_is_put():
    refusal = summary.scores(QUESTIONS[2], record("3", "red", None, answered=False))
    assert refusal == {"em": 0.0, "f1": 0.0, "contains": 0.0}
    assert summary.refused(record("1", "Not in these documents.", None))
    assert not summary.refused(record("1", "Not in these documents but in others", None))


def right(**changed):
    """RAG's answers, all right, but for the changed ones."""
    texts = {"1": "Ellen Marsh", "2": "31 metres", "3": "red", "4": "nobody"} | changed
    return [record(key, text, ["/a", "/b"], seconds=4) for key, text in texts.items()]


def test_pairs_and_the_verdict_when_rag_wins():
    result = summarised(ours=ours("x", "y", "z", "w"), rag_bm25=right(), rag_dense=right(**{"3": "blue"}))
    f1 = {pair["second"]: pair for pair in result["pairs"] if pair["measure"] == "f1"}
    assert (f1["rag-bm25"]["wins"], f1["rag-bm25"]["losses"], f1["rag-bm25"]["ties"]) == (0, 3, 0)
    assert f1["rag-bm25"]["difference"] == -100
    assert f1["rag-bm25"]["p"] == 0.25
    assert f1["rag-dense"]["losses"] == 2
    assert "RAG wins: rag-bm25 is ahead of memory+recall" in result["verdict"]
    assert "F1 0.0 against 100.0 (-100.0," in result["verdict"]
    assert "2.50 s, with rag-bm25 4.00 s" in result["verdict"]


def test_the_verdict_when_we_win_and_when_nobody_does():
    good = ours("Ellen Marsh", "31 m", "red", "")
    bad = [record(key, "wrong", ["/x"]) for key in "1234"]
    assert (
        "Answers: memory+recall wins over the best RAG variant, rag-hybrid"
        in summarised(ours=good, rag_hybrid=bad)["verdict"]
    )
    assert "Answers: no clear winner" in summarised(ours=good, rag_hybrid=right(**{"4": ""}))["verdict"]
    assert summarised(rag_hybrid=bad)["verdict"].startswith("No verdict")


def test_the_worst_failures_come_first_with_what_was_read():
    result = summarised(ours=ours("Ellen", "no", "no", "x"), rag_bm25=right(**{"2": "no"}))
    failures = result["failures"]
    assert [failure["question"] for failure in failures] == [
        "Which colour?",
        "How high?",
    ]  # "Ellen" is two thirds right
    assert failures[0]["systems"]["rag-bm25"]["answer"] == "red"
    assert failures[0]["systems"]["memory+recall"]["read"][0]["text"] == "Some text."


def test_without_gold_answers_they_stand_side_by_side():
    result = summary.summarise(
        [Question("1", "Why?")], {"memory": {"1": record("1", "because", None)}}, {"memory": FACTS}, 0
    )
    assert result["systems"][0]["em"] is None
    assert result["systems"][0]["n"] == 0
    assert result["answers"] == [
        {"question": "Why?", "systems": {"memory": {"answer": "because", "read": [], "refused": False}}}
    ]
    assert "failures" not in result


# -- plans ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def docs(tmp_path):
    return write_library(tmp_path / "work" / "docs", count=3, longest=6)


@pytest.fixture
def squad(docs):
    """Two articles of the library's texts as a SQuAD file: three questions, the last without an answer."""
    texts = [file.read_text() for file in sorted(docs.iterdir())]
    ships = [text.split("The ")[1].split()[0] for text in texts]
    paragraphs = [
        {"context": text, "qas": [{"question": f"What does the {ship} carry?", "answers": [{"text": ship}]}]}
        for text, ship in zip(texts, ships, strict=True)
    ]
    paragraphs[2]["qas"][0] |= {"answers": [], "is_impossible": True}
    data = [{"title": "Ships", "paragraphs": paragraphs[:2]}, {"title": "More", "paragraphs": paragraphs[2:]}]
    return parse_questions("q.json", json.dumps({"data": data}).encode())


@pytest.fixture
def out(tmp_path):
    return tmp_path / "work" / "out"


def test_a_squad_file_is_its_own_collection(squad, out, tiny):
    plan = compare.plan(out, squad, model=str(tiny))
    assert plan.paths == [str(out / "documents")]
    assert len(list((out / "documents").rglob("*.txt"))) == 3
    assert plan.questions[0].source == str(out / "documents" / "0001-Ships" / "001.txt")
    assert [question.id for question in plan.questions] == [question.id for question in squad.questions]


def test_sources_are_found_among_the_documents_or_named(docs, out, tiny):
    def planned(source):
        file = parse_questions("q.jsonl", json.dumps({"question": "Q?", "answer": "x", "source": source}).encode())
        return compare.plan(out, file, [str(docs)], model=str(tiny)).questions[0].source

    whole = str(docs / "log-01.txt")
    assert (
        planned("log-01.txt") == planned("docs/log-01.txt") == planned("./docs/log-01.txt") == planned(whole) == whole
    )
    for unknown in ("og-01.txt", "nope.txt"):
        with pytest.raises(InfinidocError, match=f"{unknown}, the source of 'Q.', is none of the documents"):
            planned(unknown)
    (docs / "deeper").mkdir()
    (docs / "deeper" / "log-01.txt").write_text("again")
    with pytest.raises(InfinidocError, match="several of the documents"):
        compare.located([Question("1", "Q?", None, "log-01.txt")], [whole, str(docs / "deeper" / "log-01.txt")])


def test_nothing_is_begun_without_documents_or_over_another_comparison(docs, squad, out, tiny):
    lines = parse_questions("-", b"Which ship?")
    with pytest.raises(InfinidocError, match="no documents"):
        compare.plan(out, lines, model=str(tiny))
    with pytest.raises(InfinidocError, match="no such file"):
        compare.plan(out, lines, ["nowhere"], model=str(tiny))
    (docs.parent / "blank").mkdir()
    with pytest.raises(InfinidocError, match="no file in blank"):
        compare.plan(out, lines, ["blank"], model=str(tiny))
    compare.plan(out, lines, [str(docs)], model=str(tiny))
    compare.plan(out, squad, [str(docs)], ["memory"], limit=1, model=str(tiny))  # other questions and systems may join
    with pytest.raises(InfinidocError, match=r"another comparison \(changed: embedder\)"):
        compare.plan(out, lines, [str(docs)], model=str(tiny), embedder="another")
    (docs / "log-00.txt").write_text("changed")
    with pytest.raises(InfinidocError, match=r"changed: documents\)"):
        compare.plan(out, lines, [str(docs)], model=str(tiny))


def test_squad_sources_mean_nothing_among_other_documents(squad, docs, out, tiny):
    plan = compare.plan(out, squad, [str(docs)], model=str(tiny))
    assert {question.source for question in plan.questions} == {None}


# -- runs ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_this_process(monkeypatch):
    """Jobs done here, with one set of imports; returns the jobs."""
    jobs = []

    def carry_out(job, out, notify):
        events = []
        jobs.append(job)
        worker.work(Job(**json.loads(json.dumps(vars(job)))), lambda event: events.append(json.dumps(event)))
        return next((event["unfit"] for event in map(json.loads, events) if "unfit" in event), None)

    monkeypatch.setattr(compare, "carry_out", carry_out)
    return jobs


def test_every_system_answers_and_its_row_is_whole(squad, out, tiny, in_this_process):
    plan = compare.plan(out, squad, model=str(tiny))
    result = compare.run(plan)
    rows = {row["name"]: row for row in result["systems"]}
    assert tuple(rows) == NAMES
    for name, row in rows.items():
        assert (row["n"], row["n_unanswerable"]) == (2, 1), name
        assert 0 <= row["em"] <= row["f1"] <= 100
        assert row["seconds_per_question"] > 0
        assert (row["source_at_1"] is None) == (name in ("memory", *WINDOW, "truncated"))
        assert (row["bytes_kept"] > 0) == (name != "no-context")
        assert (row["ingest_seconds"] is None) == (name == "no-context")
        assert (row["second_model_bytes"] > 0) == (name in ("rag-dense", "rag-hybrid"))
    assert rows["memory"]["bytes_kept"] < rows["memory+recall"]["bytes_kept"]
    assert rows["rag-bm25"]["tokens"] == rows["full-context"]["tokens"] > 0
    assert rows["rag-bm25"]["source_at_5"] == 1.0  # there are three documents
    assert "the memory is not read" in rows["memory"]["note"]
    assert json.loads((out / compare.RESULT).read_text()) == json.loads(json.dumps(result))
    assert {"torch", "bm25s", "sentence-transformers"} <= result["libraries"].keys()
    assert result["model"]["digest"] == plan.settings["model"]
    assert (result["seed"], result["questions"]["n"]) == (0, 3)


def test_only_what_is_missing_is_done_again(squad, out, tiny, in_this_process):
    chosen = ["rag-bm25", "no-context"]
    plan = compare.plan(out, squad, systems=chosen, limit=2, model=str(tiny))
    compare.run(plan)
    answers = out / "answers" / "rag-bm25.jsonl"
    lines = answers.read_text().splitlines()
    assert len(lines) == 2
    answers.write_text(lines[0] + "\n" + lines[1][:30])  # the disk after a power cut
    in_this_process.clear()
    result = compare.run(compare.plan(out, squad, systems=chosen, model=str(tiny)))
    assert [job.stage for job in in_this_process] == ["answer", "answer"]
    again = [json.loads(line) for line in answers.read_text().splitlines()]
    assert again[0] == json.loads(lines[0])
    assert len({entry["id"] for entry in again}) == len(again) == 3
    assert [row["n"] for row in result["systems"]] == [2, 2]


def test_what_does_not_fit_the_window_is_not_run(out, tiny, docs, in_this_process):
    (docs / "long.txt").write_text("A ship carries salt. " * 2_000)
    plan = compare.plan(out, parse_questions("-", b"Which ship?"), [str(docs)], [*WINDOW, "truncated"], model=str(tiny))
    full, none, cut = compare.run(plan)["systems"]
    assert cut["unfit"] is None
    assert cut["seconds_per_question"] > 0
    assert "don't fit its window of 4,096" in full["unfit"]
    assert full["seconds_per_question"] is None
    assert none["unfit"] is None
    assert none["seconds_per_question"] > 0


def test_everything_in_the_window_is_read_in_the_documents_order(out, tiny, docs):
    job = Job("answer", "full-context", str(out), [str(docs)], str(tiny), "", [])
    window = systems.system(job)
    seen = []
    window.base.__dict__["encode"] = lambda text: seen.append(text) or window.base.tokenizer(text).input_ids
    window.ask("Which ship?")
    places = [seen[0].index(f"Logbook {number}") for number in range(3)]
    assert places == sorted(places)
    assert seen[0].rstrip().endswith("Question: Which ship?\nAnswer:")


def test_seconds_of_an_ingest_that_was_cut_short_count(squad, out, tiny, monkeypatch, in_this_process):
    plan = compare.plan(out, squad, systems=["rag-bm25"], model=str(tiny))

    def interrupted(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(worker, "SAVE_SECONDS", 0.0)
        patch.setattr(Index, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare.run(plan)
    file = ingested_file(out, "rag-bm25")
    cut = json.loads(file.read_text())
    assert cut["seconds"] > 0
    assert cut["whole"] is False
    file.write_text(json.dumps(cut | {"seconds": 1e6}))
    (row,) = compare.run(plan)["systems"]
    assert 1e6 < row["ingest_seconds"] < 1.1e6


def test_what_goes_wrong_in_a_process_is_one_line_here(squad, out, tiny):
    plan = compare.plan(out, squad, systems=["no-context"], model=str(tiny))
    (tiny_copy := out / "model").mkdir()
    job = Job("ingest", "no-context", str(out), plan.paths, str(tiny_copy), "", [])
    with pytest.raises(InfinidocError, match=r"no-context: no config.json"):
        compare.carry_out(job, out, lambda step: None)
    nonsense = Job("ingest", "no-context", str(out), plan.paths, str(tiny), "", [("only an id",)])
    with pytest.raises(InfinidocError, match=r"no-context failed; see .*log.txt.*: run the same command again"):
        compare.carry_out(Job(**vars(nonsense) | {"stage": "answer"}), out, lambda step: None)
    assert "ValueError" in (out / compare.LOG).read_text()


def test_an_interruption_ends_the_process_and_the_next_run_goes_on(squad, out, tiny):
    """Each stage is a process of its own, which tells how far it is and what it took."""
    plan = compare.plan(out, squad, systems=["rag-bm25"], limit=1, model=str(tiny))
    before, after = [], []

    def interrupt(step):
        before.append(step)
        if step.stage == "answer" and step.name != "starting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare.run(plan, interrupt)
    assert not (out / compare.RESULT).exists()
    (row,) = compare.run(plan, after.append)["systems"]
    assert list(dict.fromkeys(step.stage for step in before)) == ["ingest", "answer"]
    assert {step.stage for step in after} == {"answer"}
    assert (after[-1].done, after[-1].total) == (1, 1)
    assert row["seconds_per_question"] > 0
    assert row["peak_memory_answering"] > 50e6
    assert row["peak_memory_ingest"] > 50e6


def test_peak_memory_is_this_process_s():
    import numpy as np

    before = worker.peak_memory()
    block = np.ones(40_000_000 // 8)
    assert worker.peak_memory() >= before
    assert worker.peak_memory() >= block.nbytes
