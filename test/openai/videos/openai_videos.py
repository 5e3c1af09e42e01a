"""OpenAI's client for Python against a server's /v1/videos: argv[1] is the base URL, argv[2] a PNG file. Prints a JSON object: name -> true or what went wrong."""

import json
import sys
import traceback

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0, timeout=60)
png = sys.argv[2]
outcomes = {}


def check(function):
    try:
        function()
        outcomes[function.__name__] = True
    except Exception:
        outcomes[function.__name__] = traceback.format_exc()
    return function


@check
def create_and_poll():
    """Without a file this client sends JSON, so the clip is there when `create` returns; it can be asked for all the same."""
    video = client.videos.create_and_poll(prompt="a cat", model="filmer", seconds="4", size="1280x720", poll_interval_ms=10)
    assert (video.object, video.status, video.progress, video.seconds, video.size) == ("video", "completed", 100, "4", "1280x720"), video
    assert client.videos.retrieve(video.id).status == "completed"
    assert client.videos.download_content(video.id).read() == b"clip of seed 42"


@check
def create_with_image_and_poll():
    with open(png, "rb") as image:
        video = client.videos.create_and_poll(prompt="a cat", input_reference=image, poll_interval_ms=10, extra_body={"seed": 7})
    assert video.status == "completed" and video.error is None and video.completed_at is not None, video
    assert video.id.startswith("video_") and client.videos.download_content(video.id).read() == b"clip of seed 7"


@check
def create_in_background():
    video = client.videos.create(prompt="a cat", extra_headers={"Prefer": "respond-async"})
    assert video.status == "queued", video
    assert client.videos.poll(video.id, poll_interval_ms=10).status == "completed"


@check
def list_all():
    ids = [video.id for video in client.videos.list(limit=1)]
    assert len(ids) == len(set(ids)) == 3, ids


@check
def delete():
    video = client.videos.create(prompt="a cat")
    assert client.videos.delete(video.id).deleted is True
    try:
        client.videos.retrieve(video.id)
        raise AssertionError("it is still there")
    except openai.NotFoundError as error:
        assert error.code == "media_not_found", error


@check
def error_classes():
    for body, kind in (({"num_frames": 96}, openai.BadRequestError), ({"model": "sora-2"}, openai.NotFoundError)):
        try:
            client.videos.create(prompt="a cat", extra_body=body)
            raise AssertionError(f"{body} was taken")
        except kind as error:
            assert error.param in body, error


print(json.dumps(outcomes))
