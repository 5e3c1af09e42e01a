// What SGLang is told so that its language server asks our gateway and nobody else (sglang 0.5.23, run live).

/** `gatewayUrl`: where startGateway listens, before SGLang starts. `bootstrapPort`: one that no other language server of this host has. */
export function languageArgs(gatewayUrl: string, bootstrapPort: number): string[] {
  return [
    ...['--enable-multimodal', '--language-only', '--encoder-urls', gatewayUrl],
    ...['--encoder-transfer-backend', 'zmq_to_scheduler', '--encoder-bootstrap-port', `${bootstrapPort}`],
  ]
}

/** Variables of its environment; `host`: the address of this machine that the gateway's rows may come from. */
export function languageEnv(host = '127.0.0.1'): Record<string, string> {
  return {
    // Its sockets for rows have no password; without this they would listen on an outer address.
    SGLANG_HOST_IP: host,
    // Above the gateway's own deadline, which tells the cause; far below SGLang's 180 s.
    SGLANG_ENCODER_RECV_TIMEOUT: '30',
    SGLANG_ENCODER_HTTP_TIMEOUT: '60',
    // It would forget a gateway that misses three of its probes, and then load pictures by our names itself, which fails. The gateway lives and dies with us.
    SGLANG_ENCODER_BOOTSTRAP_HEALTH_CHECK_INTERVAL: '0',
  }
}
