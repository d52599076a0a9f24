import type { ServerStats } from '../api/stats.ts';
import { formatDuration } from '../format/number-format.ts';
import { historySpanMs } from '../live/stats-history.ts';
import { Sparkline } from '../ui/sparkline.tsx';
import page from './server-page.module.css';
import styles from './threads.module.css';

/** A thread that is this late does not keep up. */
const LATE_MS = 100;

/** How long work waits in each thread: the 99th percentile of the last second. */
export function Threads({ history }: { readonly history: readonly ServerStats[] }) {
  const threads = history.at(-1)?.threads ?? [];
  return (
    <section className={page.section} aria-label="Threads">
      <h2>Event-loop delay</h2>
      <ul className={styles.list}>
        {threads.map(({ name, eventLoopDelayMs }) => (
          <li key={name} className={styles.thread} data-thread={name}>
            <span className={styles.name}>{name}</span>
            <Sparkline
              points={history.map((stats) => ({
                x: stats.atMs,
                y: stats.threads.find((thread) => thread.name === name)?.eventLoopDelayMs ?? 0,
              }))}
              color="var(--series-1)"
              height={24}
              fromZero
              spanX={historySpanMs(history)}
            />
            <span className={styles.delay} data-late={eventLoopDelayMs >= LATE_MS}>
              {formatDuration(eventLoopDelayMs)}
            </span>
          </li>
        ))}
        {threads.length === 0 && <li className={styles.none}>Waiting for the first second…</li>}
      </ul>
    </section>
  );
}
