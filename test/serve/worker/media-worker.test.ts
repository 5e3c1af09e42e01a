import { mediaWorkerOptions } from '../../../src/cli/deployment/process-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { log } from '../../../src/lib/log.ts'
import { openMediaWorker } from '../../../src/serve/worker/media-worker.ts'
import { leavingSuite } from '../../suites/leaving.suite.ts'

log.level = 'silent'

leavingSuite((folder) => {
  const line = `--engine mock --image-diffusion-worker --model-path models/tiny-FLUX.1-dev --discovery-backend file --tcp-rpc-host 127.0.0.1`
  const settings = parseSettings([...line.split(' '), '--grace-period-secs', '0'], { DYN_FILE_KV: folder }, 'worker')
  return openMediaWorker(mediaWorkerOptions(settings, {}))
})
