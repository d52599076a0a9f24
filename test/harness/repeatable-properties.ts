import fc, { type RunDetails } from 'fast-check';
import { relative } from 'node:path';
import { expect } from 'vitest';
import { seedOfRun } from './seed-of-run.ts';

/*
 * Before every test file: all properties choose by the seed of the run (seed-of-run.ts), and one that fails says how to repeat it.
 * SELSYN_PATH leads to a counterexample at once, without the runs before it and without shrinking: for one property, not for a run.
 */
const path = process.env['SELSYN_PATH'];
fc.configureGlobal({
  seed: seedOfRun(process.env['SELSYN_SEED']),
  ...(path !== undefined && { path }),
  reporter: throwRepeatably,
});

function throwRepeatably(details: RunDetails<unknown>): void {
  if (!details.failed) return;
  throw new Error(`${fc.defaultReportMessage(details)}\n\nTo repeat it: ${commandOf(details)}`, { cause: details.errorInstance });
}

function commandOf({ seed, counterexamplePath }: RunDetails<unknown>): string {
  const { currentTestName = '', testPath = '' } = expect.getState();
  const variables = [`SELSYN_SEED=${seed}`, ...(counterexamplePath === null ? [] : [`SELSYN_PATH=${counterexamplePath}`])];
  // A dot for what has a meaning in a shell or a pattern.
  const name = currentTestName.replaceAll(/[^\w ,:;'-]/g, '.');
  return `${variables.join(' ')} npx vitest run ${relative(process.cwd(), testPath)} -t "${name}"`;
}
