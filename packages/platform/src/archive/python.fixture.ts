import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const PACKAGES = ['pandas==3.1.1', 'pyarrow==26.0.1'];
const INSTALL_MS = 300_000;
/** After which pip is asked again: a download may fail by chance. */
const RETRY_PAUSES_MS = [2_000, 10_000, 30_000];
const RUN_MS = 180_000;

/**
 * Python with pandas and pyarrow, which pip installs into a folder of its own at the first time; or undefined, with a printed
 * reason, where there is no Python or they cannot be had. Under CI that is a failure.
 */
export function pythonWithPandas(): ((script: string, ...args: string[]) => string) | undefined {
  const folder = join(homedir(), '.cache', 'selsyn-test-python', PACKAGES.join('-'));
  if (!existsSync(join(folder, 'pyarrow'))) {
    let failure = install(folder);
    for (const pauseMs of RETRY_PAUSES_MS) {
      if (failure === undefined) break;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
      failure = install(folder);
    }
    if (failure !== undefined) return missing(failure);
  }
  return (script, ...args) => {
    const run = spawnSync('python3', ['-c', script, ...args], {
      encoding: 'utf8',
      timeout: RUN_MS,
      env: { ...process.env, PYTHONPATH: folder },
    });
    if (run.status !== 0) throw new Error(run.stderr);
    return run.stdout;
  };
}

/** Into the folder as a whole, or not at all: one that is there is complete. @returns why it failed */
function install(folder: string): string | undefined {
  mkdirSync(dirname(folder), { recursive: true });
  const partial = mkdtempSync(`${folder}-`);
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', partial, ...PACKAGES];
    const { status, error, stderr } = spawnSync('python3', pip, { encoding: 'utf8', timeout: INSTALL_MS });
    if (status !== 0) return error?.message ?? stderr;
    if (!existsSync(join(folder, 'pyarrow'))) {
      rmSync(folder, { recursive: true, force: true });
      renameSync(partial, folder);
    }
    return undefined;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function missing(reason: string): undefined {
  const sentence = `pandas and pyarrow could not be had: ${reason.trim().split('\n').at(-1)}`;
  if (process.env['CI'] !== undefined) throw new Error(sentence);
  process.stderr.write(`${sentence}; what needs them is skipped\n`);
  return undefined;
}
