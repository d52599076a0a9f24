import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Hunts for what the fixed seed of `npm test` does not reach: npm run hunt [-- folder …]
 * Runs the tests that choose at random (properties, models, fuzz) by a seed that is drawn, the models for longer. What fails says how
 * to repeat it.
 */
const ROOT = join(import.meta.dirname, '..');
const LONGER = {
  SELSYN_DIFFERENTIAL_RUNS: '1500',
  SELSYN_MODEL_RUNS: '1000',
  SELSYN_FUZZ_PACKETS: '1000000',
};
const CHOOSES = /fast-check|harness\/random|session-store\.contract|SELSYN_SEED/;

const folders = process.argv.slice(2);
const files = globSync('{packages,test}/**/*.test.ts', { cwd: ROOT, exclude: ['**/node_modules/**'] }).filter(
  (file) =>
    (folders.length === 0 || folders.some((folder) => file.startsWith(folder))) &&
    CHOOSES.test(readFileSync(join(ROOT, file), 'utf8')),
);
if (files.length === 0) {
  process.stderr.write('no test there chooses at random\n');
  process.exit(1);
}
const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', ...files], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { SELSYN_SEED: 'random', ...LONGER, ...process.env },
});
process.exitCode = status ?? 1;
