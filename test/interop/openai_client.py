"""The PyPI openai client against a running server: `openai_client.py BASE_URL MODEL`. Prints one JSON object: check name to true or what went wrong."""
import asyncio
import json
import sys
import traceback

import openai
from pydantic import BaseModel

base, model = sys.argv[1], sys.argv[2]
client = openai.OpenAI(base_url=base, api_key="none", max_retries=0, timeout=60)
messages = [{"role": "user", "content": "Say something."}]
ask = {"model": model, "messages": messages, "max_tokens": 12}
tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
checks = {}


def check(function):
    checks[function.__name__] = function
    return function


@check
def chat():
    answer = client.chat.completions.create(**ask)
    assert answer.choices[0].message.role == "assistant" and answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 12 and answer._request_id


@check
def stream_equals_whole():
    whole = client.chat.completions.create(**ask, seed=7)
    text, usage, finish = "", None, None
    for chunk in client.chat.completions.create(**ask, seed=7, stream=True, stream_options={"include_usage": True}):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
        usage = chunk.usage or usage
    assert text == whole.choices[0].message.content and finish == "length", text
    assert usage == whole.usage, (usage, whole.usage)


@check
def stream_helper():
    # get_final_completion() refuses answers that end by length, so the pieces are held against the event that sums them up.
    with client.chat.completions.stream(**ask) as stream:
        events = list(stream)
    done = [event.content for event in events if event.type == "content.done"]
    assert done == ["".join(event.delta for event in events if event.type == "content.delta")], events


@check
def tools_pass_through():
    plain = client.chat.completions.create(**ask).usage.prompt_tokens
    with_tools = client.chat.completions.create(**ask, tools=[tool]).usage.prompt_tokens
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Bern"}'}}
    turns = [
        *messages,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    with_result = client.chat.completions.create(**{**ask, "messages": turns}, tools=[tool]).usage.prompt_tokens
    assert plain < with_tools < with_result, (plain, with_tools, with_result)


@check
def parse_json_schema():
    class City(BaseModel):
        name: str
        people: int
        tags: list[str]

    answer = client.chat.completions.parse(**{**ask, "max_tokens": 300}, response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City), answer


@check
def logprobs():
    entries = client.chat.completions.create(**ask, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert len(entries) == 12 and all(len(entry.top_logprobs) == 3 for entry in entries)


@check
def choices():
    answer = client.chat.completions.create(**ask, n=3, temperature=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2] and answer.usage.completion_tokens == 36


@check
def completions():
    batch = client.completions.create(model=model, prompt=["a", "b"], n=2, max_tokens=2)
    assert [choice.index for choice in batch.choices] == [0, 1, 2, 3]
    ids = client.completions.create(model=model, prompt=[[5, 6], [7]], max_tokens=2)
    assert ids.usage.prompt_tokens == 3
    echoed = client.completions.create(model=model, prompt="Once upon", max_tokens=4, echo=True, logprobs=2).choices[0]
    assert echoed.text.startswith("Once upon") and "".join(echoed.logprobs.tokens) == echoed.text
    assert echoed.logprobs.token_logprobs[0] is None and len(echoed.logprobs.text_offset) == len(echoed.logprobs.tokens)
    streamed = "".join(chunk.choices[0].text for chunk in client.completions.create(model=model, prompt="Once", max_tokens=8, stream=True) if chunk.choices)
    assert streamed == client.completions.create(model=model, prompt="Once", max_tokens=8).choices[0].text


@check
def extra_body():
    answer = client.chat.completions.create(**ask, extra_body={"top_k": 1, "ignore_eos": True, "chat_template_kwargs": {"enable_thinking": False}})
    assert answer.usage.completion_tokens == 12


@check
def models():
    assert [one.id for one in client.models.list()] == [model] and client.models.retrieve(model).id == model


def refused(kind, status, param=None, **body):
    try:
        client.chat.completions.create(**{**ask, **body})
    except kind as error:
        assert error.status_code == status and error.body["message"] and (param is None or error.param == param), error
        return
    raise AssertionError(f"{body} was not refused")


@check
def error_classes():
    refused(openai.BadRequestError, 400, "temperature", temperature="hot")
    refused(openai.BadRequestError, 400, messages=[])
    refused(openai.BadRequestError, 400, max_tokens=10_000_000)
    refused(openai.NotFoundError, 404, "model", model="gpt-nothing")
    refused(openai.NotFoundError, 404, "model", model="gpt-nothing", stream=True)


@check
def cancel_sync_stream():
    with client.chat.completions.create(**{**ask, "max_tokens": 4000}, stream=True) as stream:
        next(iter(stream))


@check
def cancel_async():
    async def main():
        async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as asynchronous:
            task = asyncio.create_task(asynchronous.chat.completions.create(**{**ask, "max_tokens": 4000}))
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            answers = await asyncio.gather(*(asynchronous.chat.completions.create(**ask) for _ in range(32)))
            assert len({answer.id for answer in answers}) == 32

    asyncio.run(main())


def outcome(function):
    try:
        function()
        return True
    except Exception:
        return traceback.format_exc()[-1500:]


print(json.dumps({name: outcome(function) for name, function in checks.items()}))
