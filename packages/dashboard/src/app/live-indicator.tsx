import { useSyncExternalStore } from 'react';
import { formatCompact } from '../format/number-format.ts';
import { useWho } from '../session/who.ts';
import { useServices } from './services.ts';
import styles from './live-indicator.module.css';

const LABELS = { idle: 'Offline', connecting: 'Connecting', open: 'Live', lost: 'Offline' } as const;

/** Whether what is shown is current, and how much comes in. */
export function LiveIndicator() {
  const { connection, stats } = useServices();
  const state = useSyncExternalStore(connection.subscribe, connection.state);
  const latest = useSyncExternalStore(stats.subscribe, stats.latest);
  const { may } = useWho();
  const open = state.phase === 'open';
  if (!may('telemetry:read')) return null;
  return (
    <div className={styles.indicator} data-phase={state.phase} data-testid="live-indicator">
      <i className={styles.dot} aria-hidden="true" />
      <span>{LABELS[state.phase]}</span>
      {open && latest !== undefined && <span className={styles.rate}>{formatCompact(latest.pointsPerSecond)} points/s</span>}
    </div>
  );
}
