"""The ingest benchmark: what it runs and in which order, what it keeps, and what it makes of the figures. The systems
are fakes or read with a tiny model; no test here depends on how fast anything is."""

import argparse
import json
import time
from pathlib import Path

import pytest

from benchmarks.ingest import __main__ as bench
from benchmarks.ingest import systems
from benchmarks.ingest.documents import write_corpus
from benchmarks.ingest.report import markdown, summarise
from infinidoc.errors import InfinidocError
from infinidoc.memory.store import Store
from tests.reading.library import write_library

SPEEDS = {"infinidoc_fp32": 100.0, "infinidoc_bf16": 300.0, "transformers_2k_fp32": 50.0, "llama_cpp_f32": 60.0}
RATIOS = ["transformers_2k_fp32", "transformers_2k_int8", "llama_cpp", "length_1m_over_10k"]


def figures(speed):
    return {
        "tokens": 1_000,
        "tokens_per_second": speed,
        "peak_bytes": 10**8,
        "kept": {"constant": 0, "per_token": 150.0},
        "start_seconds": 1.0,
        "first_token_seconds": None,
        "answer_seconds": 2.0,
    }


def measured(*cells):
    return [
        {"system": system, "length": length, "round": number, **figures(speed)}
        for system, length, number, speed in cells
    ]


def test_all_systems_take_turns_and_long_texts_come_between_two_rounds():
    cells = bench.plan(["infinidoc_fp32", "transformers_2k_fp32", "rag_bm25"], [10, 100, 1_000], rounds=3)
    assert [str(cell) for cell in cells] == [
        "infinidoc_fp32-10-0",
        "transformers_2k_fp32-10-0",
        "rag_bm25-10-0",
        "infinidoc_fp32-100-0",
        "rag_bm25-100-0",
        "infinidoc_fp32-1000-0",
        "rag_bm25-1000-0",
        "rag_bm25-10-1",
        "transformers_2k_fp32-10-1",
        "infinidoc_fp32-10-1",
        "infinidoc_fp32-10-2",
        "transformers_2k_fp32-10-2",
        "rag_bm25-10-2",
    ]


def test_a_run_that_is_cut_short_goes_on_where_it_was(tmp_path):
    cells = bench.plan(list(SPEEDS), [10, 100], rounds=2)
    asked = []

    def measure(cell):
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(cell)
        return figures(SPEEDS[cell.system])

    with pytest.raises(KeyboardInterrupt):
        bench.run(cells, tmp_path, measure, lambda line: None)
    assert asked == cells[:3]
    again = []
    done, left_out = bench.run(cells, tmp_path, lambda cell: again.append(cell) or figures(7.0), lambda line: None)
    assert again == cells[3:]
    assert list(done) == cells
    assert not left_out
    assert done[cells[0]]["tokens_per_second"] == SPEEDS[cells[0].system]


def test_what_does_not_run_is_left_out_with_its_reason_and_tried_again_next_time(tmp_path):
    cells = bench.plan(["llama_cpp_f32", "infinidoc_fp32"], [10], rounds=2)

    def measure(cell):
        if cell.system == "llama_cpp_f32":
            raise InfinidocError("xllamacpp isn't installed")
        return figures(1.0)

    done, left_out = bench.run(cells, tmp_path, measure, lambda line: None)
    assert [cell.system for cell in done] == ["infinidoc_fp32", "infinidoc_fp32"]
    assert left_out == {"llama_cpp_f32": "xllamacpp isn't installed"}
    done, left_out = bench.run(cells, tmp_path, lambda cell: figures(1.0), lambda line: None)
    assert len(done) == 4
    assert not left_out


def test_ratios_are_ours_over_theirs_within_a_round():
    # The machine is four times as fast in the second round: within a round nothing changes.
    rows = measured(*((name, 10_000, number, speed * 4**number) for number in (0, 1) for name, speed in SPEEDS.items()))
    result = summarise(rows)
    assert list(result["ratios"]) == RATIOS
    assert result["ratios"]["transformers_2k_fp32"] == pytest.approx(2.0)
    assert result["ratios"]["transformers_2k_int8"] == pytest.approx(6.0)  # there is no int8 here: bf16 stands in …
    assert result["ratios_of"]["transformers_2k_int8"][0] == ("infinidoc_bf16", 10_000)  # … and the result says so
    assert result["ratios"]["llama_cpp"] == pytest.approx(5.0)
    assert result["ratios"]["length_1m_over_10k"] is None


def test_the_fastest_of_ours_meets_the_fastest_of_llama_cpp():
    rows = measured(
        ("infinidoc_fp32", 10_000, 0, 100.0),
        ("infinidoc_fp32_no_memory", 10_000, 0, 900.0),
        ("infinidoc_int8", 10_000, 0, 400.0),
        ("llama_cpp_q4_1", 10_000, 0, 200.0),
        ("llama_cpp_q8_0", 10_000, 0, 800.0),
        ("transformers_2k_fp32", 10_000, 0, 100.0),
    )
    result = summarise(rows)
    assert result["ratios"]["llama_cpp"] == pytest.approx(0.5)
    assert result["ratios"]["transformers_2k_int8"] == pytest.approx(4.0)


def test_the_length_ratio_is_a_million_tokens_over_ten_thousand():
    rows = measured(
        ("infinidoc_fp32", 10_000, 0, 100.0),
        ("infinidoc_fp32", 10_000, 1, 110.0),
        ("infinidoc_fp32", 100_000, 0, 7.0),
        ("infinidoc_fp32", 1_000_000, 0, 84.0),
    )
    assert summarise(rows)["ratios"]["length_1m_over_10k"] == pytest.approx(0.8)


def test_lengths():
    assert [bench.parse_length(text) for text in ("10k", "1M", "512")] == [10_000, 1_000_000, 512]
    for bad in ("", "k", "1.5k", "-3", "ten"):
        with pytest.raises(InfinidocError, match="not a length"):
            bench.parse_length(bad)


def words(text):
    return [1] * len(text.split())


def test_a_corpus_has_the_length_asked_for_and_questions_about_it(tmp_path):
    library = write_library(tmp_path / "library")
    corpus = write_corpus(tmp_path / "corpus", 500, words, [library])
    written = [file.read_text() for file in sorted(corpus.folder.iterdir())]
    assert corpus.tokens == sum(len(words(text)) for text in written)
    assert corpus.tokens == pytest.approx(500, rel=0.1)
    for question in corpus.questions:
        assert any(question.removeprefix("What does the text say about ")[:-1] in " ".join(t.split()) for t in written)
    assert write_corpus(tmp_path / "again", 500, words, [library]).digest == corpus.digest
    with pytest.raises(InfinidocError, match="give more"):
        write_corpus(tmp_path / "long", 10**6, words, [library])


def test_the_docstrings_of_the_installation_are_a_corpus(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", 3_000, words)
    assert corpus.tokens == pytest.approx(3_000, rel=0.05)
    assert len(list(corpus.folder.iterdir())) > 1


@pytest.fixture
def corpus(tmp_path, tiny, monkeypatch):
    """A little text for the tiny model, as the driver lays it out."""
    monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))
    monkeypatch.setenv("INFINIDOC_PRECISION", "fp32")
    library = write_library(tmp_path / "library")
    encode = systems.tokeniser()
    write_corpus(tmp_path / "texts" / systems.WARM_UP, 100, encode, [library])
    return write_corpus(tmp_path / "texts" / "documents", 2_500, encode, [library])


def look(name, corpus, work):
    made = systems.system(name, work, threads=1)
    return made, systems.measure(made, corpus.folder.parent, corpus.questions, time.time())


def test_ours_with_and_without_memory(corpus, tmp_path):
    full, found = look("infinidoc_fp32", corpus, tmp_path / "full")
    assert found["tokens"] == pytest.approx(corpus.tokens, rel=0.05)
    assert found["tokens_per_second"] == pytest.approx(found["tokens"] / found["seconds"])
    assert found["kept"]["addresses_per_token"] == 128
    assert found["kept"]["per_token"] > 128 + found["kept"]["text_per_token"]
    assert found["peak_bytes"] > 10**7
    bare, without = look("infinidoc_fp32_no_memory", corpus, tmp_path / "bare")
    assert without["tokens"] == found["tokens"]
    assert full.collection.store.state() is not None
    assert bare.collection.store.state() is None
    blocks = [Store.open(system.collection.directory).addresses() for system in (full, bare)]
    assert [len(b.addresses) for b in blocks[0]] == [len(b.addresses) for b in blocks[1]]
    assert without["kept"]["constant"] < found["kept"]["constant"]


def test_full_attention_reads_whole_windows_and_answers_from_the_last(corpus, tmp_path, tiny):
    system, found = look("transformers_2k_fp32", corpus, tmp_path)
    assert found["tokens"] == 2_048
    config = json.loads((Path(tiny) / "config.json").read_text())
    width = config["hidden_size"] // config["num_attention_heads"] * config["num_key_value_heads"]
    assert found["kept"]["per_token"] == config["num_hidden_layers"] * 2 * width * 4
    assert found["answered"] == len(corpus.questions)
    assert 0 < found["first_token_seconds"] < found["answer_seconds"]
    assert system.cache.get_seq_length() == 2_048  # a question leaves nothing behind for the next


@pytest.mark.parametrize("name", ["rag_bm25", "rag_minilm"])
def test_rag(corpus, tmp_path, name):
    _, found = look(name, corpus, tmp_path / name)
    assert found["tokens"] == pytest.approx(corpus.tokens, rel=0.05)
    assert found["kept"]["per_token"] > 4


def options(tmp_path, **more):
    defaults = {"lengths": "300,600", "rounds": 1, "systems": "infinidoc_fp32,transformers_2k_fp32", "threads": 1}
    folders = {"documents": [tmp_path / "library"], "out": tmp_path / "out", "work": tmp_path / "bench", "name": "try"}
    return argparse.Namespace(**{**defaults, **folders, **more})


def test_the_command_writes_a_table_a_plot_and_json_that_names_what_it_depends_on(tmp_path, corpus, monkeypatch):
    """One cell really runs in a process of its own; the figures of the others are made up."""
    real = bench.in_a_process

    def measure(cell, **rest):
        return real(cell, **rest) if cell.system == "infinidoc_fp32" and cell.length == 300 else figures(50.0)

    monkeypatch.setattr(bench, "in_a_process", measure)
    result = bench.benchmark(options(tmp_path))
    out = tmp_path / "out"
    assert json.loads((out / "ingest-try.json").read_text())["ratios"] == result["ratios"]
    assert list(result["ratios"]) == RATIOS
    assert result["ratios"]["transformers_2k_fp32"] > 0
    assert (out / "ingest-try.png").read_bytes().startswith(b"\x89PNG")
    table = (out / "ingest-try.md").read_text()
    assert table == markdown(result)
    assert "| infinidoc_fp32 |" in table
    assert result["machine"]["cpus"]
    assert result["versions"]["torch"]
    assert len(result["digests"]["model"]) == 64
    assert set(result["digests"]["documents"]) == {"300", "600"}
    assert {(row["system"], row["length"]) for row in result["rows"]} == {
        ("infinidoc_fp32", 300),
        ("transformers_2k_fp32", 300),
        ("infinidoc_fp32", 600),
    }
    assert not list((tmp_path / "bench").glob("tmp*"))


def test_a_process_that_fails_gives_one_line(tmp_path, corpus, monkeypatch):
    cell = bench.Cell("llama_cpp_f32", 2_500, 0)
    with pytest.raises(InfinidocError, match=r"no GGUF|isn't installed") as failed:
        bench.in_a_process(cell, {2_500: corpus}, 1, tmp_path)
    assert "\n" not in str(failed.value)


def test_an_unknown_system_is_named(tmp_path):
    with pytest.raises(InfinidocError, match="no system vllm"):
        bench.benchmark(options(tmp_path, systems="infinidoc_fp32,vllm"))
