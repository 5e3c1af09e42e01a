// The end of a process, and its files.
import { decimal, flag, text } from '../setting.ts'

export const lifetimeSettings = {
  gracePeriodSecs: decimal(
    'lifetime',
    '--grace-period-secs',
    'DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS',
    5,
    'After SIGTERM: unready, but still serving, for this long',
    { min: 0, max: 86_400 },
  ),
  drainTimeoutSecs: decimal('lifetime', '--drain-timeout-secs', 'DYN_DRAIN_TIMEOUT_SECS', 30, 'Then: time for running requests to finish', {
    min: 0,
  }),
  settingsFile: text(
    'files',
    '-f --settings',
    'DYN_SETTINGS',
    undefined,
    'YAML or JSON with any of these settings; other keys go to SGLang',
  ),
  cacheDir: text('files', '--cache-dir', 'DYN_CACHE_DIR', undefined, "Folder for unpacked files; the user's cache folder when absent"),
  hfHome: text('files', '', 'HF_HOME', undefined, "The hub's cache folder"),
  hfToken: text('files', '', 'HF_TOKEN', undefined, 'Token for models that need one'),
  hfEndpoint: text('files', '', 'HF_ENDPOINT', 'https://huggingface.co', 'The hub, or a mirror of it'),
  hfOffline: flag('files', '', 'HF_HUB_OFFLINE', 'Never ask the hub; only its cache folder'),
}
