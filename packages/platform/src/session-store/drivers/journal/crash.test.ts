import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { OwnerModel } from '../../owner-model.ts';
import { steps } from './crash-steps.ts';
import { JournalFolder } from './journal-fixtures.ts';

const ROUNDS = 8;
const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));

/**
 * Lets a writer run and kills it at some moment of its work, after so many commits. Returns the step up to which it had said
 * all is durable.
 */
async function killedRun(dir: string, run: number, commits: number): Promise<number> {
  const child = spawn(process.execPath, [WRITER, dir, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let said = '';
  child.stdout.setEncoding('latin1');
  child.stdout.on('data', (text: string) => {
    said += text;
    if (said.split('\n').length > commits) setTimeout(() => child.kill('SIGKILL'), Math.random() * 10);
  });
  await closed;
  return Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1));
}

async function restored(folder: JournalFolder): Promise<OwnerModel> {
  const owner = new OwnerModel();
  await (await folder.store()).open(owner);
  await folder.close();
  return owner;
}

test('comes back with all that was durable, and nothing that was not written, when it is killed at any moment', async () => {
  await using folder = new JournalFolder({ snapshotAfterBytes: Infinity });
  await restored(folder);
  let stepsInAll = 0;
  for (let run = 1; run <= ROUNDS; run += 1) {
    const expected = await restored(folder);
    const durable = await killedRun(folder.dir, run, (run * 17) % 60);
    const owner = await restored(folder);
    const [ofRun, last] = (owner.retained('step') ?? '').split(' ').map(Number);
    expect(ofRun).toBe(run);
    expect(last).toBeGreaterThanOrEqual(durable);
    // A step has two changes, of which the end may have torn off the second.
    const todo = steps(expected, run);
    for (let step = 0; step < last!; step += 1) todo.next();
    const text = expected.text();
    todo.next();
    const oneMore = expected.retain('step', `${run} ${last!}`) && expected.text();
    expect([text, oneMore]).toContain(owner.text());
    stepsInAll += last!;
  }
  expect(stepsInAll).toBeGreaterThan(ROUNDS * 500);
  expect(folder.sizeBytes).toBeLessThan(600_000);
});
