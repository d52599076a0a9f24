import type { ReactNode } from 'react';
import type { ServerStats } from '../api/stats.ts';
import { Sparkline } from '../ui/sparkline.tsx';
import { historySpanMs } from '../live/stats-history.ts';
import styles from './stat-card.module.css';

interface StatCardProps {
  readonly id: string;
  readonly title: string;
  readonly unit?: string;
  /** Which of the theme's series colours, from 1. */
  readonly color: number;
  readonly history: readonly ServerStats[];
  readonly value: (stats: ServerStats) => number;
  readonly format: (value: number) => string;
  readonly children?: ReactNode;
}

/** One rate: now, and its last three minutes. */
export function StatCard({ id, title, unit, color, history, value, format, children }: StatCardProps) {
  const points = history.map((stats) => ({ x: stats.atMs, y: value(stats) }));
  const now = points.at(-1);
  return (
    <section className={styles.card} data-stat={id} aria-label={title}>
      <h2 className={styles.title}>{title}</h2>
      <p className={styles.value}>
        <span data-testid="stat-value">{now === undefined ? '–' : format(now.y)}</span>
        {unit !== undefined && <small>{unit}</small>}
      </p>
      <div className={styles.note}>{children}</div>
      <Sparkline points={points} color={`var(--series-${color})`} height={38} fromZero spanX={historySpanMs(history)} />
    </section>
  );
}
