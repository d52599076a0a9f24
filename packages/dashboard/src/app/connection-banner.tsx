import { Button } from '@mantine/core';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { Icon } from '../ui/icons.tsx';
import { useServices } from './services.ts';
import styles from './connection-banner.module.css';

/** A short interruption is not worth a word. */
const SILENT_FOR_MS = 1200;

/** Says that the page is not current while the live feed is away. It lies over the page and moves nothing. */
export function ConnectionBanner() {
  const { connection } = useServices();
  const state = useSyncExternalStore(connection.subscribe, connection.state);
  const lost = state.phase === 'lost';
  const [shown, setShown] = useState(false);
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    if (!lost) return undefined;
    const delay = setTimeout(() => setShown(true), SILENT_FOR_MS);
    const clock = setInterval(() => setNowMs(Date.now()), 250);
    return () => {
      clearTimeout(delay);
      clearInterval(clock);
      setShown(false);
    };
  }, [lost]);
  const visible = lost && shown;
  return (
    <div role="status" aria-live="polite">
      {visible && (
        <div className={styles.banner} data-testid="connection-lost">
          <Icon name="alert" />
          <span className={styles.words}>
            <strong>Connection lost.</strong> What you see is not current.{' '}
            <span aria-hidden="true">{waitText(state.retryAtMs - nowMs)}</span>
          </span>
          <Button size="xs" variant="default" onClick={() => connection.retryNow()}>
            Retry now
          </Button>
        </div>
      )}
    </div>
  );
}

function waitText(ms: number): string {
  return ms <= 0 ? 'Connecting…' : `Next try in ${Math.ceil(ms / 1000)} s.`;
}
