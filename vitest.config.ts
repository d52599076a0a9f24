import { defineConfig } from 'vitest/config';
import { seedOfRun } from './test/harness/seed-of-run.ts';

const given = process.env['SELSYN_SEED'];
const seed = seedOfRun(given);
if (given === 'random') console.log(`SELSYN_SEED=${seed} repeats what this run chooses at random`);

export default defineConfig({
  // One copy, as Node loads it: schema and executor would not know each other's types otherwise.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['packages/**/*.test.{ts,tsx}', 'test/**/*.test.ts', 'tools/**/*.test.ts'],
    // Drawn once, for all processes of the run.
    env: { SELSYN_SEED: String(seed) },
    setupFiles: ['test/harness/repeatable-properties.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Waits end as soon as what they wait for is there; a second, as it is otherwise, a busy machine may well take.
    expect: { poll: { timeout: 120_000 } },
    reporters: ['default', './tools/closing-line.mjs'],
  },
});
