// Names of tool-call and reasoning parsers that SGLang 0.5.23 and Dynamo 1.6.1 know. Until our own parsers exist, a name is only checked against these.

const words = (text: string): string[] => text.trim().split(/\s+/)

export const toolParserNames: readonly string[] = words(`
  apertus2509 beam cohere_command4 deepseek-v4 deepseek_v3 deepseek_v3_1 deepseek_v3_2 deepseek_v4 deepseek_v41 deepseekv3 deepseekv31 deepseekv32
  deepseekv4 deepseekv41 default dots gemma-4 gemma4 gigachat3 gigachat35 glm glm45 glm47 gpt-oss harmony hermes hunyuan inkling interns1 iquest_q1
  jamba k2_horizon kimi-k3 kimi_k2 kimi_k25 kimi_k3 lfm2 ling3 llama3 llama3_json mimo minicpm5 minimax-m2 minimax-m3 minimax-m3-nom minimax_m2
  minimax_m3 minimax_m3_nom mistral muse muse_glimmer nanbeige nemotron_deci nemotron_nano phi4 poolside_v1 pythonic qwen qwen25 qwen3 qwen3_coder
  response_template spark25 step3 step3p5 trinity`)

export const reasoningParserNames: readonly string[] = words(`
  apertus2509 basic beam cohere_command4 deepseek-r1 deepseek-v3 deepseek-v4 deepseek-v41 deepseek_r1 deepseek_v3 deepseek_v3_1 deepseek_v3_2
  deepseek_v4 deepseek_v41 deepseekv4 dots gemma-4 gemma4 gigachat35 glm45 glm47 gpt-oss gpt_oss granite granite_thinking_parser hunyuan inkling
  interns1 iquest_q1 k2_horizon kimi kimi-k3 kimi_k2 kimi_k25 kimi_k3 ling3 mimo minimax minimax-append-think minimax-m3 minimax_append_think
  minimax_m2 minimax_m3 mistral muse muse_glimmer nanbeige nemotron3 nemotron_3 nemotron_deci nemotron_nano nemotron_v3 poolside_v1 qwen3
  qwen3-thinking qwen3_coder response_template step3 step3p5`)
