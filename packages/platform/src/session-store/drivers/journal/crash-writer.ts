/**
 * For crash.test.ts: opens a journal and lets a model write to it until it is killed. Prints the number of steps of this
 * run that are durable, each time on a line. The retained message `step` tells the steps that a journal holds.
 *
 *   node crash-writer.ts DIR RUN
 */
import { systemClock } from '../../../kernel/clock.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';
import { OwnerModel } from '../../owner-model.ts';
import { FIRST, openSessionLog } from './journal-fixtures.ts';
import { JournalSessionStore } from './journal-session-store.ts';
import { steps } from './crash-steps.ts';

const [dir, run] = process.argv.slice(2);
if (dir === undefined || run === undefined) throw new Error('DIR RUN');

const log = await openSessionLog(dir, 1, { clock: systemClock, segmentBytes: 60_000 });
const store = new JournalSessionStore({
  log,
  partition: FIRST,
  clock: systemClock,
  logLines: silentLogLines,
  snapshotAfterBytes: 40_000,
});
const owner = new OwnerModel();
await store.open(owner);

const stepOf: number[] = [];
const todo = steps(owner, Number(run));
let step = 0;
owner.onSettled = (upTo) => {
  process.stdout.write(`${stepOf[upTo] ?? stepOf[upTo - 1]}\n`);
  some();
};

/** Batches of very different sizes. */
function some(): void {
  const count = 1 + ((step * 7919) % 90);
  for (let i = 0; i < count; i += 1) {
    step += 1;
    for (const change of todo.next().value!) stepOf[store.write(change)] = step; // it has no end
  }
}

some();
