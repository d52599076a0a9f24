import { Counter, Histogram, type Registry } from 'prom-client';

/** Registers what the appenders of a thread's log do; the returned function takes each group commit. */
export function observeCommits(
  registry: Registry,
  log: 'log' | 'session_store' = 'log',
): (durationMs: number, records: number, sizeBytes: number) => void {
  const what = log === 'log' ? 'the log' : 'the session store';
  const seconds = new Histogram({
    name: `selsyn_${log}_commit_seconds`,
    help: `Time of a group commit of ${what}: write and sync.`,
    buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1],
    registers: [registry],
  });
  const records = new Counter({
    name: `selsyn_${log}_records_total`,
    help: `Records appended to ${what}.`,
    registers: [registry],
  });
  const bytes = new Counter({ name: `selsyn_${log}_bytes_total`, help: `Bytes appended to ${what}.`, registers: [registry] });
  return (durationMs, count, sizeBytes) => {
    seconds.observe(durationMs / 1000);
    records.inc(count);
    bytes.inc(sizeBytes);
  };
}
