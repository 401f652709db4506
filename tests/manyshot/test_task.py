"""Learning, adding, removing, predicting; and what must not get lost."""

import json
from pathlib import Path

import pytest
import torch

import infinidoc
from infinidoc.errors import InfinidocError
from infinidoc.manyshot import keys, learning, places
from infinidoc.manyshot.learning import guess_kind
from infinidoc.manyshot.ridge import similarities
from infinidoc.manyshot.store import TaskStore
from infinidoc.manyshot.task import Task
from tests.manyshot.conftest import EXAMPLES, SHIPS
from tests.tiny import tiny_model

NEW = ["the ship Dora carries oil", "a bridge of iron over the Po"]


def scores(task, texts=NEW):
    warm = task._warmed()
    return warm.readout.scores(similarities(task.keys(texts), warm.keys))


def write_csv(rows, path="examples.csv"):
    Path(path).write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return path


def test_learns_a_file_and_predicts_with_the_examples_that_decided(task):
    summary = task.learn(write_csv(EXAMPLES), "text", "label")
    assert (summary.rows, summary.added, summary.outputs, summary.kind) == (15, 15, 2, "labels")
    ship, bridge = task.predict(NEW)
    assert (ship.label, bridge.label) == ("ship", "bridge")
    assert 0.5 < ship.probability <= 1
    assert ship.examples[0].input in SHIPS
    assert [e.weight for e in ship.examples] == sorted((e.weight for e in ship.examples), reverse=True)


def test_the_package_exports_it():
    assert infinidoc.Task is Task


def test_what_was_learnt_is_there_when_the_task_is_opened_again(learnt):
    before = learnt.predict(NEW)
    learnt.close()
    with Task.open("things", create=False) as again:
        assert again.predict(NEW) == before


def test_examples_added_later_are_as_good_as_examples_learnt_at_once(learnt, tiny):
    with Task.open("parts", model=str(tiny)) as parts:
        parts.add(EXAMPLES[7:])
        parts.predict(NEW)
        parts.add(EXAMPLES[:7])
        torch.testing.assert_close(scores(parts), scores(learnt))


def test_a_removed_example_leaves_nothing_behind(learnt, tiny):
    extra = ("the ship Dora is a bridge", "bridge")
    before = scores(learnt)
    learnt.add([extra])
    assert not torch.allclose(scores(learnt), before)
    learnt.remove(learnt.find(extra[0]))
    assert torch.equal(scores(learnt), before)
    assert learnt.store.count() == len(EXAMPLES)
    content = b"".join(path.read_bytes() for path in learnt.directory.iterdir() if path.is_file())
    assert b"Dora is a bridge" not in content


def test_removing_the_last_example_of_a_label_removes_the_label(learnt):
    learnt.add([("a green book", "book")])
    assert learnt.predict(["a green book"])[0].label == "book"
    learnt.remove(learnt.find("a green book"))
    assert learnt.predict(["a green book"])[0].label in ("ship", "bridge")
    assert "book" not in learnt.store.outputs()


def test_learning_the_same_again_changes_nothing(learnt):
    revision = learnt.store.revision
    summary = learnt.add([*EXAMPLES, EXAMPLES[0]])
    assert (summary.added, summary.known) == (0, 16)
    assert learnt.store.revision == revision


def test_every_row_is_counted_once(task):
    rows = [
        *EXAMPLES[:4],
        EXAMPLES[0],
        ("", "ship"),
        ("a ship", ""),
        (" ", " "),
        ("a raft", "ship"),
        ("a raft", "bridge"),
    ]
    summary = task.learn(write_csv(rows), "text", "label")
    assert (summary.rows, summary.added, summary.repeated, summary.empty) == (10, 6, 1, 3)
    assert summary.contradictions == 1
    Path("bad.jsonl").write_text('{"text": "a boat", "label": "ship"}\nrubbish\n')
    summary = task.learn("bad.jsonl", "text", "label")
    assert (summary.rows, summary.added, summary.unreadable) == (2, 1, 1)
    assert summary.problems[0].startswith("row 2: no JSON")
    assert summary.examples == 7


def test_contradicting_examples_share_the_probability(learnt):
    learnt.add([(SHIPS[0], "bridge")])
    sure, torn = learnt.predict([SHIPS[1], SHIPS[0]])
    assert torn.probability < sure.probability


def test_one_label_only(task):
    task.add([(text, "ship") for text in SHIPS])
    (found,) = task.predict(["the ship Dora"])
    assert (found.label, found.probability) == ("ship", 1)


def test_one_example_only(task):
    task.add(EXAMPLES[:1])
    (found,) = task.predict(["anything"])
    assert (found.label, found.in_scope) == ("ship", True)


def test_labels_in_any_script(task):
    labels = ["日本語", "עברית", "naïve café", "👍🏽", "a\tb", "x" * 500, "NULL", "0"]
    task.add([(text, label) for text, label in zip(SHIPS, labels, strict=False)])
    assert [found.label for found in task.predict(SHIPS[: len(labels)])] == labels


def test_empty_texts_keep_their_place(learnt):
    found = learnt.predict(["", NEW[0], "  ", NEW[1]])
    assert [one.label for one in found] == [None, "ship", None, "bridge"]
    assert found[0].probability == 0
    json.dumps([one.to_dict() for one in found])


def test_long_inputs(learnt):
    long = " ".join(SHIPS) * 100
    learnt.add([(long, "long")])
    assert learnt.predict([long])[0].label == "long"


def test_nothing_is_made_where_there_is_nothing_to_learn(task):
    with pytest.raises(InfinidocError, match="no examples in 2 rows"):
        task.learn(write_csv([("", "a"), ("b", "")]), "text", "label")
    with pytest.raises(InfinidocError, match="no examples in 0 rows"):
        task.add([])
    assert not task.directory.exists()
    with pytest.raises(InfinidocError, match="there is no task things: make one with"):
        task.predict(["a"])


def test_a_task_of_which_all_was_removed(learnt):
    learnt.remove(learnt.examples())
    with pytest.raises(InfinidocError, match="has no examples"):
        learnt.predict(["a"])
    learnt.add(EXAMPLES)
    assert learnt.predict(NEW)[0].label == "ship"


def test_an_interrupted_learn_keeps_its_batches_and_goes_on(task, monkeypatch):
    monkeypatch.setattr(learning, "BATCH", 4)

    def stop(progress):
        if progress.added > 8:  # in the middle of the third batch
            raise KeyboardInterrupt

    path = write_csv(EXAMPLES)
    with pytest.raises(KeyboardInterrupt):
        task.learn(path, "text", "label", notify=stop)
    assert task.store.count() == 8
    assert task.predict(NEW[0])[0].label == "ship"  # what is there can be used
    summary = task.learn(path, "text", "label")
    assert (summary.known, summary.added) == (8, 7)


def test_progress_is_told_within_a_batch_too(task, monkeypatch):
    monkeypatch.setattr(keys, "BATCH_TOKENS", 1)
    told = []
    task.learn(write_csv(EXAMPLES), "text", "label", notify=told.append)
    assert [one.added for one in told] == [*range(1, 16), 15]
    assert [one.share for one in told] == sorted(one.share for one in told)
    assert told[0].share < 0.1
    assert told[-1].share == 1


def test_a_crash_between_files_and_manifest_leaves_the_old_task(learnt, monkeypatch):
    before = scores(learnt)

    def crash(self):
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(TaskStore, "_next_revision", crash)
        with pytest.raises(OSError, match="power cut"):
            learnt.add([("a raft", "ship")])
    learnt.close()
    assert learnt.store.count() == len(EXAMPLES)
    assert torch.equal(scores(learnt), before)
    files = {path.name for path in learnt.directory.glob("*.safetensors")}
    learnt.add([("a boat", "ship")])
    assert learnt.store.count() == len(EXAMPLES) + 1
    assert len({path.name for path in learnt.directory.glob("*.safetensors")}) <= len(files)  # orphans are swept up


def test_small_key_files_are_joined(task, monkeypatch):
    monkeypatch.setattr(learning, "BATCH", 2)
    task.add(EXAMPLES)
    assert len(list(task.directory.glob("keys-*"))) == 1
    monkeypatch.setattr(learning, "BATCH", 1024)
    with Task.open("whole", model=task.model) as whole:
        whole.add(EXAMPLES)
        torch.testing.assert_close(scores(task), scores(whole))


def test_another_models_task_is_refused(learnt, tmp_path):
    other = tiny_model(tmp_path / "other", seed=1)
    with (
        Task.open("things", model=str(other)) as task,
        pytest.raises(InfinidocError, match="was learnt with the model"),
    ):
        task.predict(["a"])


def test_a_second_writer_is_refused(learnt, monkeypatch):
    monkeypatch.setattr("infinidoc.memory.manifest.LOCK_SECONDS", 0.1)
    with learnt.store.writing(), Task.open("things") as other, pytest.raises(InfinidocError, match="another process"):
        other.add([("a raft", "ship")])


def test_a_reader_sees_what_another_process_learns(learnt):
    learnt.predict(NEW)
    with Task.open("things") as other:
        other.add([("zzz", "sleep")])
    assert learnt.predict(["zzz"])[0].label == "sleep"


def test_a_damaged_manifest_is_one_clear_error(learnt):
    learnt.close()
    for path in learnt.directory.glob("manifest*"):
        path.write_bytes(b"rubbish" * 100)
    with pytest.raises(InfinidocError, match="is damaged"):
        learnt.predict(["a"])


def test_kinds_are_guessed(task):
    assert guess_kind(["card_arrival", "lost card", "card_arrival"]) == "labels"
    assert guess_kind([f"intent_{n}" for n in range(77)]) == "labels"
    assert guess_kind(["le livre est vert", "le vin est rouge", "un pont en bois"]) == "text"
    assert guess_kind([f"mot{n}" for n in range(300)]) == "text"


def test_text_is_generated_from_the_nearest_examples(task):
    pairs = [(text, text.replace("the ship", "le navire").replace("carries", "porte")) for text in SHIPS]
    assert task.add(pairs).kind == "text"
    (found, empty) = task.predict(["the ship Amalia carries coal", ""], top=3)
    assert found.text
    assert len(found.examples) == 3
    assert all("Amalia" in example.input for example in found.examples)
    assert (empty.text, empty.examples) == ("", [])
    with pytest.raises(InfinidocError, match="outputs of things are text, not labels"):
        task.add(pairs, kind="labels")


def test_tasks_are_listed_and_removed(learnt):
    assert places.names() == ["things"]
    facts = learnt.facts()
    assert (facts["examples"], facts["outputs"], facts["kind"]) == (15, 2, "labels")
    learnt.close()
    places.remove("things")
    assert places.names() == []
    for name in ("../up", "", ".hidden", "a/b"):
        with pytest.raises(InfinidocError, match="can't name a task"):
            places.directory(name)
