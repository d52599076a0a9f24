import { parentPort, workerData } from 'node:worker_threads';
import { HotDaysWriter } from './hot-days.ts';

/** A thread that tells something else all the time, until it is ended: of each version so many days, all of them the same. */
const writer = new HotDaysWriter(workerData as SharedArrayBuffer);
for (let version = 1; ; version = (version + 1) % 1_000_000) {
  const unrolled = Array.from({ length: version % 50 }, () => version % 1_000);
  writer.tell({ daysVersion: version, unsaved: false, hot: [], unrolled });
  if (version === 2) parentPort?.postMessage('begun');
}
