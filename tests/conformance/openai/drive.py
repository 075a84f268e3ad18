"""The official client through everything that the server has. usage: drive.py URL KEY"""

import sys

import openai

url, key = sys.argv[1:]
client = openai.OpenAI(base_url=url, api_key=key, max_retries=0)
ASK = {"model": "small", "messages": [{"role": "user", "content": "Hello, who are you?"}], "max_tokens": 24}


def models():
    ids = [model.id for model in client.models.list()]
    assert ids == ["small"], ids


def whole():
    answer = client.chat.completions.create(**ASK, temperature=0)
    choice = answer.choices[0]
    assert choice.message.role == "assistant" and choice.message.content, answer
    assert choice.finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    return choice.message.content


def streamed():
    """Greedy answers are the same, however they come."""
    pieces, usage = [], None
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(**ASK, temperature=0, stream=True, stream_options=options):
        usage = chunk.usage or usage
        pieces += [choice.delta.content or "" for choice in chunk.choices]
    assert "".join(pieces).strip() == whole().strip(), pieces
    assert len([piece for piece in pieces if piece]) > 1 and usage.completion_tokens > 1, (pieces, usage)


def logprobs():
    choice = client.chat.completions.create(**ASK, temperature=0, logprobs=True, top_logprobs=3).choices[0]
    tokens = choice.logprobs.content
    text = b"".join(bytes(token.bytes) for token in tokens).decode()
    assert choice.message.content.strip() in text, (text, choice)
    for token in tokens:
        top = token.top_logprobs
        assert token.logprob <= 0 and len(top) == 3 and top[0].token == token.token, token
        assert [one.logprob for one in top] == sorted((one.logprob for one in top), reverse=True), token


def several():
    answer = client.chat.completions.create(**ASK, n=3, seed=7, temperature=1.0)
    again = client.chat.completions.create(**ASK, n=3, seed=7, temperature=1.0)
    texts = [choice.message.content for choice in answer.choices]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert texts == [choice.message.content for choice in again.choices], "one seed, two answers"
    assert len(set(texts)) > 1, texts


def stops():
    text = whole()
    stop = text[len(text) // 2 :][:2]
    cut = client.chat.completions.create(**ASK, temperature=0, stop=[stop]).choices[0]
    assert cut.message.content.strip() == text[: text.index(stop)].strip(), (text, stop, cut)
    assert cut.finish_reason == "stop"


def refused(kind, **more):
    try:
        client.chat.completions.create(**(ASK | more))
    except kind as e:
        return str(e)
    raise AssertionError(f"{more} is not refused")


def errors():
    assert "small" in refused(openai.NotFoundError, model="nobody")
    assert "temperature" in refused(openai.BadRequestError, temperature=-1.0)
    assert "response_format" in refused(openai.BadRequestError, response_format={"type": "json_object"})
    wrong = openai.OpenAI(base_url=url, api_key="tml-wrong", max_retries=0)
    try:
        wrong.models.list()
    except openai.AuthenticationError as e:
        assert "tml-wrong" not in str(e)
    else:
        raise AssertionError("a wrong key is let in")


failed = 0
for stage in [models, whole, streamed, logprobs, several, stops, errors]:
    try:
        stage()
        print(f"{stage.__name__:12}ok")
    except Exception as e:  # Each stage is told.
        failed += 1
        print(f"{stage.__name__:12}FAILED  {type(e).__name__}: {e}")
print(f"openai {openai.__version__}: {'every stage is ok' if not failed else f'{failed} failed'}")
sys.exit(failed != 0)
