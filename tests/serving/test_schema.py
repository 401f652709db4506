"""The OpenAPI document says what is so: schemathesis tries it."""

import subprocess
import sys

from infinidoc.reading import answering

RUN = "from schemathesis.cli import schemathesis; schemathesis()"
OPTIONS = ("--max-examples=4", "--seed=1", "--generation-deterministic", "--no-shrink",
           "--no-color", "--continue-on-failure", "--warnings=off")  # fmt: skip
# What fits the schema can still be refused: a question of blanks, a collection that is not there, a file that is none.
EXCLUDED = "--exclude-checks=positive_data_acceptance"


def test_what_the_document_says_is_so(server, monkeypatch, tmp_path):
    monkeypatch.setattr(answering, "generate", lambda *_: "Amalia")
    (tmp_path / "schemathesis.toml").write_text('[parameters]\n"path.collection" = "ships"\n"path.model" = "ships"\n')
    command = [sys.executable, "-c", RUN, "run", f"{server.address}/openapi.json", *OPTIONS, EXCLUDED]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert server("GET", "/api/collections").status == 200


def test_every_operation_is_described(server):
    document = server("GET", "/openapi.json").json
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert operation["tags"]
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), (method, path, parameter["name"])
            for status, response in operation["responses"].items():
                if status.startswith("4") or status.startswith("5"):
                    (content,) = response["content"].values()
                    assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
