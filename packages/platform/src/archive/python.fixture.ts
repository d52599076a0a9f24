import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PACKAGES = ['pandas==3.1.1', 'pyarrow==26.0.1'];
const INSTALL_MS = 300_000;
const RUN_MS = 60_000;

/**
 * Python with pandas and pyarrow, which pip installs into a folder of its own at the first time; or undefined, with a printed
 * reason, where there is no Python or they cannot be had. Under CI that is a failure.
 */
export function pythonWithPandas(): ((script: string, ...args: string[]) => string) | undefined {
  const folder = join(homedir(), '.cache', 'selsyn-test-python', PACKAGES.join('-'));
  if (!existsSync(join(folder, 'pyarrow'))) {
    mkdirSync(folder, { recursive: true });
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', folder, ...PACKAGES];
    const installed = spawnSync('python3', pip, { encoding: 'utf8', timeout: INSTALL_MS });
    if (installed.status !== 0) return missing(installed.error?.message ?? installed.stderr);
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

function missing(reason: string): undefined {
  const sentence = `pandas and pyarrow could not be had: ${reason.trim().split('\n').at(-1)}`;
  if (process.env['CI'] !== undefined) throw new Error(sentence);
  process.stderr.write(`${sentence}; what needs them is skipped\n`);
  return undefined;
}
