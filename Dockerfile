# SGLang's image plus one file. Build the executable first (`bun run build`), then:
#   docker build -t dynamo-sglang --build-arg SGLANG_IMAGE=lmsysorg/sglang:latest .
ARG SGLANG_IMAGE=lmsysorg/sglang:latest
FROM ${SGLANG_IMAGE}

# A user of its own: nothing here needs root. The cache folder takes the unpacked native parts and the hub's models.
RUN useradd --create-home --uid 10001 dynamo \
 && mkdir -p /home/dynamo/.cache/huggingface \
 && chown -R dynamo:dynamo /home/dynamo/.cache

COPY --chmod=0755 dist/dynamo-sglang /usr/local/bin/dynamo-sglang

USER dynamo
WORKDIR /home/dynamo
ENV HF_HOME=/home/dynamo/.cache/huggingface \
    DYN_SGLANG_PYTHON=python3
EXPOSE 8000

# Loading a large model takes minutes; until then the container is "starting", not "unhealthy".
HEALTHCHECK --interval=15s --timeout=5s --start-period=20m --retries=3 \
  CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health' % os.environ.get('DYN_HTTP_PORT', '8000'), timeout=4)"]

# SIGTERM reaches the program itself, which then drains.
ENTRYPOINT ["dynamo-sglang"]
CMD ["serve"]
