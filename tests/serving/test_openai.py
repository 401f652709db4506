"""The OpenAI-style API, by the official client."""

import openai
import pytest
from openai.types.chat import completion_create_params

from infinidoc.reading.collection import Collection
from infinidoc.serving.openai import SOURCES, conversation
from infinidoc.serving.shapes import Message

QUESTION = "Which ship carries salt?"
ENOUGH = 1_000  # tokens: the tiny model ends its answers by chance


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0) as client:
        yield client


def asked(client, question=QUESTION, **options):
    return client.chat.completions.create(model="ships", messages=[{"role": "user", "content": question}], **options)


def test_collections_are_models(client):
    assert [model.id for model in client.models.list()] == ["ships"]
    assert client.models.retrieve("ships").id == "ships"


def test_an_answer_has_its_sources_in_a_field_and_as_footnotes(client):
    reply = asked(client, max_tokens=ENOUGH)
    answer = reply.infinidoc
    text, _, notes = reply.choices[0].message.content.partition(SOURCES)
    assert text == answer["answer"]
    assert reply.choices[0].finish_reason == "stop"
    assert len(answer["sources"]) == 4
    for number, source in enumerate(answer["sources"], 1):
        assert f"[{number}] {source['document']}, {source['place']}" in notes.splitlines()


def test_tokens_are_counted_as_the_collections_model_has_them(client):
    reply = asked(client, extra_body={"infinidoc": {"top": 2}})
    answer = reply.infinidoc
    with Collection.open("ships") as collection:
        encode = collection.load().encode
        prompt = len(encode(QUESTION)) + sum(len(encode(source["text"])) for source in answer["sources"])
        completion = len(encode(answer["answer"]))
    assert len(answer["sources"]) == 2
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (prompt, completion)
    assert usage.total_tokens == prompt + completion


def test_a_stream_says_the_same(client):
    whole = asked(client, max_tokens=ENOUGH)
    chunks = list(asked(client, max_tokens=ENOUGH, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.usage for chunk in chunks if chunk.usage] == [whole.usage]
    assert len({chunk.id for chunk in chunks}) == 1
    *_, last, _ = chunks
    assert last.choices[0].finish_reason == "stop"
    assert last.infinidoc["sources"] == whole.infinidoc["sources"]


def test_an_answer_that_is_cut_says_so(client):
    assert asked(client, max_tokens=3).choices[0].finish_reason == "length"


def test_a_question_leans_on_those_before(client):
    messages = [
        {"role": "system", "content": "You are helpful."},
        {"role": "user", "content": "What does the Amalia carry?"},
        {"role": "assistant", "content": f"grain{SOURCES}[1] log-00.txt, line 1\n    “The Amalia carries grain.”"},
        {"role": "user", "content": [{"type": "text", "text": "And who commands it?"}]},
    ]
    reply = client.chat.completions.create(model="ships", messages=messages)
    assert reply.infinidoc["question"] == "And who commands it? (Amalia)"
    question, (turn,) = conversation([Message.model_validate(message) for message in messages])
    assert (question, turn.question, turn.answer) == ("And who commands it?", "What does the Amalia carry?", "grain")
    assert "The Amalia carries grain." in turn.passage


def test_only_documents_in_the_scope_are_read(client):
    reply = asked(client, extra_body={"infinidoc": {"in": ["log-01.txt"], "long": True}})
    assert {source["document"].rpartition("/")[2] for source in reply.infinidoc["sources"]} == {"log-01.txt"}


def test_what_clients_send_and_nobody_needs_here_is_passed_over(client):
    """All that OpenAI's own client can send, and what those of llama.cpp and vLLM add."""
    known = completion_create_params.CompletionCreateParamsStreaming.__annotations__
    known |= completion_create_params.CompletionCreateParamsBase.__annotations__
    looked_at = ("model", "messages", "n", "response_format", "max_tokens", "max_completion_tokens")
    sent = {name: "x" for name in known if name not in (*looked_at, "stream", "stream_options")}
    sent |= {"top_k": 40, "min_p": 0.1, "repeat_penalty": 1.1, "response_format": {"type": "text"}}
    plain, laden = asked(client), asked(client, extra_body=sent)
    assert laden.choices[0].message.content == plain.choices[0].message.content
    messages = [
        {"role": "user", "content": "What does the Amalia carry?", "name": "Sam"},
        {**plain.choices[0].message.model_dump(), "tool_calls": []},
        {"role": "user", "content": [{"type": "text", "text": QUESTION, "cache_control": {"type": "ephemeral"}}]},
    ]
    assert client.chat.completions.create(model="ships", messages=messages).choices[0].message.content


def said(content):
    return {"messages": [{"role": "user", "content": content}]}


INVALID = openai.UnprocessableEntityError
WRONG = [
    ({"model": "nothing"}, openai.NotFoundError, "no collection"),
    ({"messages": []}, INVALID, "messages"),
    (said(" "), INVALID, "empty"),
    (said("word " * 4000), INVALID, "too long"),
    (said([{"type": "image_url", "image_url": {"url": "x"}}]), INVALID, "should be 'text'"),
    ({"messages": [{"role": "assistant", "content": "Hm."}]}, INVALID, "last message"),
    ({"n": 2}, INVALID, "n: "),
    ({"max_tokens": 0}, INVALID, "max_tokens"),
    ({"extra_body": {"infinidoc": {"since": "yesterday"}}}, INVALID, "no date"),
    ({"extra_body": {"infinidoc": {"type": ["pdf"]}}}, INVALID, "pdf"),
    ({"extra_body": {"infinidoc": {"tpo": 2}}}, INVALID, "infinidoc.tpo: there is no such field"),
    ({"extra_body": {"infinidocs": {"top": 2}}}, INVALID, "infinidocs: there is no such field"),
    ({"response_format": {"type": "json_object"}}, INVALID, "response_format"),
]


def test_what_is_wrong_is_said_in_openais_shape(client):
    for wrong, kind, word in WRONG:
        for stream in (False, True):
            with pytest.raises(kind) as raised:
                client.chat.completions.create(**{"model": "ships", "stream": stream, **said(QUESTION), **wrong})
            assert word in raised.value.body["message"]
            assert raised.value.type == "invalid_request_error"
