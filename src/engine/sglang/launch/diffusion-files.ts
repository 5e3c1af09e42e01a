// The Python side's diffusion role, embedded in the executable; bridge-files.ts has the rest.
import init from '../bridge/diffusion/__init__.py' with { type: 'text' }
import args from '../bridge/diffusion/arguments.py' with { type: 'text' }
import control from '../bridge/diffusion/control.py' with { type: 'text' }
import facts from '../bridge/diffusion/facts.py' with { type: 'text' }
import frames from '../bridge/diffusion/frames.py' with { type: 'text' }
import jobs from '../bridge/diffusion/jobs.py' with { type: 'text' }
import mainModule from '../bridge/diffusion/main.py' with { type: 'text' }
import messages from '../bridge/diffusion/messages.py' with { type: 'text' }
import spawned from '../bridge/diffusion/spawned.py' with { type: 'text' }
import warmUp from '../bridge/diffusion/warm_up.py' with { type: 'text' }
import workerInit from '../bridge/diffusion/worker/__init__.py' with { type: 'text' }
import blocks from '../bridge/diffusion/worker/blocks.py' with { type: 'text' }
import decode from '../bridge/diffusion/worker/decode.py' with { type: 'text' }
import execute from '../bridge/diffusion/worker/execute.py' with { type: 'text' }
import hooks from '../bridge/diffusion/worker/hooks.py' with { type: 'text' }
import workerJobs from '../bridge/diffusion/worker/jobs.py' with { type: 'text' }
import lora from '../bridge/diffusion/worker/lora.py' with { type: 'text' }
import pixels from '../bridge/diffusion/worker/pixels.py' with { type: 'text' }
import preview from '../bridge/diffusion/worker/preview.py' with { type: 'text' }
import reports from '../bridge/diffusion/worker/reports.py' with { type: 'text' }
import start from '../bridge/diffusion/worker/start.py' with { type: 'text' }
import step from '../bridge/diffusion/worker/step.py' with { type: 'text' }
import workers from '../bridge/diffusion/workers.py' with { type: 'text' }

/** Path below the package → text. */
export const diffusionFiles: Readonly<Record<string, string>> = {
  'diffusion/__init__.py': init,
  'diffusion/arguments.py': args,
  'diffusion/control.py': control,
  'diffusion/facts.py': facts,
  'diffusion/frames.py': frames,
  'diffusion/jobs.py': jobs,
  'diffusion/main.py': mainModule,
  'diffusion/messages.py': messages,
  'diffusion/spawned.py': spawned,
  'diffusion/warm_up.py': warmUp,
  'diffusion/worker/__init__.py': workerInit,
  'diffusion/worker/blocks.py': blocks,
  'diffusion/worker/decode.py': decode,
  'diffusion/worker/execute.py': execute,
  'diffusion/worker/hooks.py': hooks,
  'diffusion/worker/jobs.py': workerJobs,
  'diffusion/worker/lora.py': lora,
  'diffusion/worker/pixels.py': pixels,
  'diffusion/worker/preview.py': preview,
  'diffusion/worker/reports.py': reports,
  'diffusion/worker/start.py': start,
  'diffusion/worker/step.py': step,
  'diffusion/workers.py': workers,
}
