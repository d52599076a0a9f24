import { VisuallyHidden } from '@mantine/core';
import type { Connectivity } from '../api/devices.ts';
import { formatTime } from '../format/age.ts';
import styles from './connected-dot.module.css';

/** Whether a device is connected: full, or hollow; since when in the title. */
export function ConnectedDot({ connectivity }: { readonly connectivity: Connectivity | undefined }) {
  const connected = connectivity?.connected === true;
  return (
    <span className={styles.place} title={titleOf(connectivity)} data-connected={connected}>
      <i className={styles.dot} aria-hidden="true" />
      <VisuallyHidden>{connected ? 'connected' : 'not connected'}</VisuallyHidden>
    </span>
  );
}

function titleOf(connectivity: Connectivity | undefined): string {
  if (connectivity === undefined) return 'Never connected';
  return `${connectivity.connected ? 'Connected' : 'Not connected'} since ${formatTime(connectivity.sinceMs)}`;
}
