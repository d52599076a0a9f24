import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RawClient } from '../harness/mqtt-client.ts';
import { residentBytes } from '../harness/process-memory.ts';
import { Selsyn } from '../harness/selsyn.ts';
import { FUZZ_SETTINGS } from './fuzz-settings.ts';
import { fuzzSockets, type FuzzResult } from './socket-fuzz.ts';

/*
 * The long fuzz run: node test/fuzz/fuzz-run.ts [--packets 10000000] [--connections 32] [--seed n]
 * `packets` counts those that the server has certainly examined. In ten parts, with the server's memory measured at rest between them:
 * it may grow by what its caches take, which mutants fill with names, and no more. That nothing leaks is shown by the heap of a broker
 * in a process of its own (fuzz-heap.ts), whose cache is small. Writes bench/results/fuzz.json.
 */

const PARTS = 10;
const REST_MS = 4_000;
/** 200,000 topic names and 11,000 clients that are remembered. */
const CACHE_BYTES = 100_663_296;
/** What a part of some 350,000 packets may leave in the heap: what is retained, and the noise of the collector. */
const HEAP_SLOPE_BYTES = 262_144;

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '10000000' },
    connections: { type: 'string', default: '32' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const packets = Number(values.packets);
const seed = Number(values.seed);

await using selsyn = await Selsyn.start({ settings: FUZZ_SETTINGS });
const { pid } = selsyn;
const restingBytes: number[] = [];
const parts: FuzzResult[] = [];
let examined = 0;
for (let part = 0; examined < packets; part += 1) {
  const wanted = Math.min(packets / PARTS, packets - examined);
  const last = parts.at(-1);
  // What is written and not examined stands behind the one that a connection was closed at.
  const share = last === undefined ? 1 : last.examined / last.sent;
  const result = await fuzzSockets({
    port: selsyn.mqttPort,
    packets: Math.ceil(wanted / share),
    connections: Number(values.connections),
    seed: seed + part,
  });
  parts.push(result);
  examined += result.examined;
  await clearRetained(selsyn.mqttPort);
  await pause(REST_MS);
  restingBytes.push(residentBytes(pid));
  process.stdout.write(
    `part ${part}: ${result.examined} examined of ${result.sent} sent in ${result.seconds.toFixed(1)} s, ${result.connections} connections, ` +
      `${result.stuck.length} stuck, control ${result.controlRoundTrips} (worst ${result.controlWorstMs.toFixed(0)} ms), ` +
      `${(residentBytes(pid) / 1_048_576).toFixed(1)} MiB\n`,
  );
}
const alive = (await selsyn.fetch('/healthz')).status === 200 && selsyn.pid === pid;
const grownBytes = Math.max(0, ...restingBytes.slice(1)) - (restingBytes[0] ?? 0);
const heap = heapOfMutants();
const heapSlopeBytes = slope(heap.heapBytes.slice(2));
const verdict = {
  crashed: !alive,
  stuck: parts.flatMap(({ stuck }) => stuck),
  leaks: grownBytes > CACHE_BYTES || heapSlopeBytes > HEAP_SLOPE_BYTES || Object.values(heap.left).some((left) => left !== 0),
  internalErrors: (selsyn.said.match(/could not be handled/g) ?? []).length,
};
const holds = !verdict.crashed && verdict.stuck.length === 0 && !verdict.leaks && verdict.internalErrors === 0;
const sum = (field: 'sent' | 'examined' | 'connections' | 'controlRoundTrips' | 'seconds'): number =>
  parts.reduce((total, part) => total + part[field], 0);
const folder = join(import.meta.dirname, '..', '..', 'bench', 'results');
mkdirSync(folder, { recursive: true });
const result = {
  claim: 'fuzz',
  workload: `mutated packets of both versions over ${values.connections} connections at a time, valid prefix, one ping behind each`,
  machine: { processor: cpus()[0]?.model ?? '', cores: cpus().length, node: process.versions.node },
  seed,
  examined: sum('examined'),
  sent: sum('sent'),
  connections: sum('connections'),
  seconds: sum('seconds'),
  controlRoundTrips: sum('controlRoundTrips'),
  controlWorstMs: Math.max(...parts.map(({ controlWorstMs }) => controlWorstMs)),
  restingBytes,
  grownBytes,
  heap: { ...heap, slopeBytesEachPart: heapSlopeBytes },
  verdict,
  holds,
};
writeFileSync(join(folder, 'fuzz.json'), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${holds ? 'holds' : 'DOES NOT HOLD'}: ${JSON.stringify(verdict)}\n`);
if (!holds) process.exitCode = 1;

interface MutantHeap {
  readonly packets: number;
  readonly heapBytes: readonly number[];
  readonly left: Readonly<Record<string, number>>;
}

function heapOfMutants(): MutantHeap {
  const program = join(import.meta.dirname, 'fuzz-heap.ts');
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', program, String(seed)], { encoding: 'utf8' })) as MutantHeap; // it prints one
}

/** Removes what mutants have retained: it is not a leak, but looks like one. */
async function clearRetained(port: number): Promise<void> {
  using client = await RawClient.connect({ port, version: 5 });
  const topics = new Set<string>();
  client.onPacket = (packet) => void (packet.type === 'publish' && packet.retain && topics.add(packet.topic));
  await client.subscribe([{ filter: '#' }, { filter: '$x/#' }, { filter: '$x' }]);
  for (let before = -1; before !== topics.size;) {
    before = topics.size;
    await pause(100);
    await client.ping();
  }
  for (const topic of topics) client.send({ type: 'publish', topic, payload: new Uint8Array(0), qos: 0, retain: true });
  await client.ping();
}

/** Of the line that fits best, by step. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const spread = values.reduce((sum, _, x) => sum + (x - middle) ** 2, 0);
  return spread === 0 ? 0 : values.reduce((sum, value, x) => sum + (x - middle) * (value - mean), 0) / spread;
}
