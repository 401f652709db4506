"""The JSON API: asking, looking, filling, removing."""

from infinidoc.reading.collection import Collection

QUESTION = "Which ship carries salt?"


def test_collections_are_listed(server):
    (row,) = server("GET", "/api/collections").json["collections"]
    assert (row["id"], row["name"], row["documents"], row["error"]) == ("ships", "ships", 3, None)


def test_a_search_finds_what_the_collection_finds(server):
    reply = server("POST", "/api/collections/ships/search", {"question": QUESTION, "top": 3})
    with Collection.open("ships") as collection:
        found = collection.search(QUESTION, 3)
    assert [one["text"] for one in reply.json["passages"]] == [one.text for one in found]
    assert [one["id"] for one in reply.json["passages"]] == [one.id for one in found]


def test_an_answer_comes_as_json_and_as_events(server):
    reply = server("POST", "/api/collections/ships/ask", {"question": QUESTION})
    assert reply.status == 200
    answer = reply.json
    assert answer["question"] == QUESTION
    assert len(answer["sources"]) == 4
    events = server.events("POST", "/api/collections/ships/ask", {"question": QUESTION, "stream": True})
    assert [name for name, _ in events] == ["text"] * (len(events) - 1) + ["answer"]
    assert "".join(data["text"] for _, data in events[:-1]).strip() == answer["answer"]
    assert events[-1][1]["sources"] == answer["sources"]
    entries = server("GET", "/api/collections/ships/log").json["entries"]
    assert [entry["answer"] for entry in entries] == [answer["answer"]] * 2


def test_files_are_uploaded_read_asked_shown_and_removed(server, home):
    files = {"logs/2024/new.txt": b"The Zenobia carries 41 tons of amber.", "b.txt": b"Another one, about tea."}
    name, summary = server.read_in("ships", files)
    assert (name, summary["added"], summary["skipped"]) == ("done", 2, [])
    kept = home / "collections" / "ships" / "uploads" / "logs" / "2024" / "new.txt"
    assert kept.read_bytes() == files["logs/2024/new.txt"]
    rows = server("GET", "/api/collections/ships/documents").json["documents"]
    (row,) = [row for row in rows if row["document"] == "logs/2024/new.txt"]
    found = server("POST", "/api/collections/ships/search", {"question": "amber", "top": 50}).json["passages"]
    (source,) = [one for one in found if one["id"] == row["id"]]
    assert source["document"] == "logs/2024/new.txt"
    where = f"/api/collections/ships/documents/{row['id']}"
    place = server("GET", f"{where}/place?start={source['start']}&end={source['end']}").json
    assert (place["kind"], place["document"]) == ("text", "logs/2024/new.txt")
    assert "Zenobia" in place["lines"][0]["text"]
    assert server("DELETE", where).status == 204
    assert not kept.exists()
    assert not kept.parent.exists()
    assert (kept.parents[2] / "b.txt").exists()
    assert server("DELETE", where).status == 404
    assert server("GET", f"{where}/place?start=0&end=1").status == 404
