"""Pictures by the PyPI openai client: `openai_vision_client.py BASE_URL MODEL URL_A URL_B`. Prints one JSON object: check name to true or what went wrong."""
import asyncio
import json
import sys
import traceback

import openai

base, model, url_a, url_b = sys.argv[1:5]
client = openai.OpenAI(base_url=base, api_key="none", max_retries=0, timeout=60)
checks = {}


def check(function):
    checks[function.__name__] = function
    return function


def ask(*urls, detail=None, **more):
    pictures = [{"type": "image_url", "image_url": {"url": url, **({"detail": detail} if detail else {})}} for url in urls]
    content = [{"type": "text", "text": "What is this?"}, *pictures]
    return {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 12, "temperature": 0, **more}


def text(answer):
    return answer.choices[0].message.content


@check
def the_answer_follows_from_the_picture():
    one, other, again, none = (client.chat.completions.create(**ask(*urls)) for urls in ([url_a], [url_b], [url_a], []))
    assert text(one) == text(again) and len({text(one), text(other), text(none)}) == 3
    assert one.usage.prompt_tokens == other.usage.prompt_tokens > none.usage.prompt_tokens


@check
def stream_equals_whole():
    whole = client.chat.completions.create(**ask(url_a, url_b))
    streamed, usage = "", None
    for chunk in client.chat.completions.create(**ask(url_a, url_b), stream=True, stream_options={"include_usage": True}):
        streamed += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    assert streamed == text(whole) and usage == whole.usage


@check
def detail():
    answers = [client.chat.completions.create(**ask(url_a, detail=word)) for word in ("auto", "high", "low")]
    assert len({text(answer) for answer in answers}) == 1, "the picture is small: there is nothing to save"


@check
def refused_by_name():
    for urls, param in (([url_a, "data:image/png;base64,AAAA"], "messages[0].content[2].image_url.url"), (["ftp://host/a.png"], "messages[0].content[1].image_url.url")):
        try:
            client.chat.completions.create(**ask(*urls))
        except openai.BadRequestError as error:
            assert error.param == param, error
        else:
            raise AssertionError(f"{urls} was answered")


@check
def many_at_once():
    async def main():
        async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as asynchronous:
            answers = await asyncio.gather(*(asynchronous.chat.completions.create(**ask(url_b if i % 2 else url_a)) for i in range(32)))
            assert len({text(answer) for answer in answers[::2]}) == len({text(answer) for answer in answers[1::2]}) == 1
            assert text(answers[0]) != text(answers[1])

    asyncio.run(main())


def outcome(function):
    try:
        function()
        return True
    except Exception:
        return traceback.format_exc()[-1500:]


print(json.dumps({name: outcome(function) for name, function in checks.items()}))
