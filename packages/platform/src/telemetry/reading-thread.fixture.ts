import { parentPort, workerData } from 'node:worker_threads';
import { ChunkReader } from './chunk-reader.ts';

/** A thread that reads days over and over until `state[1]` is set, and posts how often, and what it threw. */
const { dir, days, shared } = workerData as { dir: string; days: readonly number[]; shared: SharedArrayBuffer };
const state = new Int32Array(shared);
/** SQLITE_BUSY: a writer that has no processor for long, in the middle of a lock, outlasts what a reader waits. Who asks again has an answer. */
const BUSY = 5;
const TRIES = 40;
using reader = new ChunkReader({ telemetryDir: dir });
let reads = 0;
const errors: string[] = [];
for (let turn = 0; Atomics.load(state, 1) === 0; turn++) {
  if (turn % 3 !== 0) reader.refresh(Atomics.load(state, 0));
  for (const day of days) {
    try {
      read(day, turn % 20);
      reads++;
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (errors.length < 10) errors.push(`${String(error)}: ${String(cause)}`);
    }
  }
  if (turn % 10 === 0) reader.closeGone();
  Atomics.store(state, 2, Math.min(reads, 2 ** 30));
}
parentPort?.postMessage({ reads, errors });

function read(day: number, series: number): void {
  for (let tries = 1; ; tries++) {
    try {
      reader.page(day, series, 0, 10, 10);
      return;
    } catch (error) {
      const cause = error instanceof Error ? (error.cause as { readonly errcode?: number } | undefined) : undefined;
      if (cause?.errcode !== BUSY || tries === TRIES) throw error;
    }
  }
}
