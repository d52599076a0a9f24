import { mkdtempSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { FakeClock } from '@selsyn/platform/kernel/fake-clock.ts';
import { silentLogLines } from '@selsyn/platform/kernel/log-lines.ts';
import { openDiskLog } from '@selsyn/platform/log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '@selsyn/platform/log/drivers/disk/shared-positions.ts';
import type { PartitionId } from '@selsyn/platform/log/log.ts';
import { JournalSessionStore } from '@selsyn/platform/session-store/drivers/journal/journal-session-store.ts';
import { Random } from '../harness/random.ts';
import { SoakDay } from './soak-day.ts';

/*
 * A day of traffic, compressed: node test/soak/day.ts [--minutes 10] [--seed n]
 *
 * The broker and its session store (the record log on disk) run in this process, with a clock that is turned by hand: sessions, messages,
 * will delays and keep-alives expire after their hours without the hours, which no process with a real clock can show. Each of twelve
 * cycles is an hour and a half of traffic and half an hour of calm, in which all that expires must expire by itself; then
 * nothing may be left, and heap and resident memory are measured after a forced collection. Flat is what does not grow from
 * calm to calm by more than noise. Writes bench/results/soak.json.
 */

const CYCLES = 12;
const CYCLE_MS = 7_200_000;
const BUSTLE_MS = 5_400_000;
/** The first cycles fill pools and caches. */
const WARM_CYCLES = 2;
/** Growth over the whole day that is taken for noise: of the heap, and of resident memory. */
const NOISE_SHARE = 0.1;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } } });
const budgetMs = (Number(values.minutes) * 60_000) / CYCLES;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void; // what the flag above makes

const folder = mkdtempSync(join(tmpdir(), 'selsyn-soak-'));
const clock = new FakeClock();
const log = await openDiskLog({
  dir: folder,
  shared: newDiskLogShared(1),
  role: 'owner',
  clock,
  logLines: silentLogLines,
  segmentBytes: 1_048_576,
  maxRecordBytes: 1_073_741_824,
  retention: { maxAgeMs: 0, maxBytes: 0 },
});
const store = new JournalSessionStore({
  log,
  partition: 0 as PartitionId,
  clock,
  logLines: silentLogLines,
  snapshotAfterBytes: 4_194_304,
});
const random = new Random(Number(values.seed));
const day = new SoakDay(store, clock, random);
await day.open();

interface Sample {
  readonly hour: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
  readonly journalBytes: number;
  readonly left: Readonly<Record<string, number>>;
}
const samples: Sample[] = [];
for (let cycle = 1; cycle <= CYCLES; cycle += 1) {
  const startedMs = performance.now();
  const beganMs = clock.monotonicMs();
  // The day has its length; how much happens in it depends on how long it may take.
  do await day.bustle();
  while (clock.monotonicMs() - beganMs < BUSTLE_MS && performance.now() - startedMs < budgetMs);
  const left = await day.calmDown();
  clock.advance(Math.max(0, cycle * CYCLE_MS - clock.monotonicMs()));
  for (let n = 0; n < 4; n += 1) {
    collect();
    await new Promise(setImmediate);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const sample = { hour: cycle * 2, heapBytes: heapUsed + external, residentBytes: rss, journalBytes: bytesOf(folder), left };
  samples.push(sample);
  process.stdout.write(
    `hour ${sample.hour}: heap ${mib(sample.heapBytes)}, resident ${mib(rss)}, journal ${mib(sample.journalBytes)}, ` +
      `left ${JSON.stringify(left)}\n`,
  );
}
await store[Symbol.asyncDispose]();
await log[Symbol.asyncDispose]();
rmSync(folder, { recursive: true, force: true });

const warm = samples.slice(WARM_CYCLES);
const growth = {
  heapBytes: slope(warm.map(({ heapBytes }) => heapBytes)) * (warm.length - 1),
  residentBytes: slope(warm.map(({ residentBytes }) => residentBytes)) * (warm.length - 1),
};
const nothingLeft = samples.every(({ left }) => Object.values(left).every((value) => value === 0));
const flat =
  growth.heapBytes < NOISE_SHARE * (warm[0]?.heapBytes ?? 0) &&
  growth.residentBytes < NOISE_SHARE * (warm[0]?.residentBytes ?? 0);
const holds = flat && nothingLeft;
const results = join(import.meta.dirname, '..', '..', 'bench', 'results');
mkdirSync(results, { recursive: true });
const result = {
  claim: 'soak',
  workload: `24 h of random client behaviour in ${values.minutes} minutes, one broker with its session journal, clock turned by hand`,
  machine: { processor: cpus()[0]?.model ?? '', cores: cpus().length, node: process.versions.node },
  seed: random.seed,
  counts: day.counts,
  samples,
  growth,
  verdict: { flat, nothingLeft },
  holds,
};
writeFileSync(join(results, 'soak.json'), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(
  `${JSON.stringify(day.counts)}\n${holds ? 'holds' : 'DOES NOT HOLD'}: ${JSON.stringify({ growth, flat, nothingLeft })}\n`,
);
if (!holds) process.exitCode = 1;

function bytesOf(dir: string): number {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** Of the line that fits best, by step. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const spread = values.reduce((sum, _, x) => sum + (x - middle) ** 2, 0);
  return spread === 0 ? 0 : values.reduce((sum, value, x) => sum + (x - middle) * (value - mean), 0) / spread;
}
