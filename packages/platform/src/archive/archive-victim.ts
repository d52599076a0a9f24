/**
 * For archive-kill.test.ts: archives everything that there is in a telemetry store, joins days, until it is done or killed.
 *
 *   node archive-victim.ts TELEMETRY_DIR ARCHIVE_DIR NOW_MS
 */
import { join } from 'node:path';
import { DiskBlobs } from '../blobs/drivers/disk/disk-blobs.ts';
import { ARCHIVE_LIMITS } from '../columnar/columnar-limits.ts';
import { openParquetFiles } from '../columnar/open-parquet-files.ts';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { Archiver } from './archiver.ts';
import { Erasures } from './erasures.ts';
import { LocalObjects } from './local-objects.ts';
import { Manifest } from './manifest.ts';
import { archiveFolders } from './manifest-schema.ts';

const [telemetryDir, root, nowMs] = process.argv.slice(2);
if (telemetryDir === undefined || root === undefined || nowMs === undefined) throw new Error('TELEMETRY_DIR ARCHIVE_DIR NOW_MS');

const clock: Clock = { ...systemClock, now: () => Number(nowMs) };
const { aside, cache, held, objects } = archiveFolders(root);
const manifest = new Manifest(root);
const blobs = new DiskBlobs({ root: objects });
const local = new LocalObjects({ cache, held, blobs, direct: (key) => join(objects, key), maxBytes: 1e9 });
await local.open();
const parquet = openParquetFiles({
  limits: ARCHIVE_LIMITS,
  scratchDir: join(root, 'scratch'),
  clock: systemClock,
  logLines: silentLogLines,
});
const store = { seriesOf: () => [], forget: async () => {}, waiting: () => [] };
const archiver = new Archiver({
  telemetryDir,
  aside,
  manifest,
  blobs,
  local,
  parquet,
  types: {
    async *all() {
      yield { type: 'even', devices: Array.from({ length: 10 }, (_, i) => `d${i * 2}`) };
    },
    of: async () => new Map(),
  },
  erasures: new Erasures({ manifest, store, clock, random: (bytes) => Buffer.alloc(bytes), logLines: silentLogLines }),
  clock,
  logLines: silentLogLines,
  times: { overMs: 0, quietMs: 0, latestMs: 0, joinAfterMs: 0, joinAgainMs: 0 },
  objectBytes: 20_000,
});
// Waiting for the process that writes Parquet keeps nothing alive.
const alive = setInterval(() => undefined, 1_000);
// The parent kills when it likes, but not before there is something to kill.
process.stdout.write('ready\n');
await archiver.pass(AbortSignal.timeout(400_000), {
  atOnce: false,
  onFault: (_day, error) => {
    throw error;
  },
});
clearInterval(alive);
process.exit();
