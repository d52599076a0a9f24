import { useCallback, useEffect, useMemo, useSyncExternalStore } from 'react';
import type { LatestValue } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { mergeLatest } from './live-values.ts';

const noop = () => {};

/** The fetched values of a device with what came since. Renders on a change only while `active`. */
export function useLatest(device: string, fetched: readonly LatestValue[], active: boolean): readonly LatestValue[] {
  const { values } = useServices();
  const subscribe = useCallback(
    (listener: () => void) => (active ? values.subscribe(device, listener) : noop),
    [values, device, active],
  );
  const live = useSyncExternalStore(subscribe, () => values.snapshot(device));
  return useMemo(() => mergeLatest(fetched, live), [fetched, live]);
}

/** Points the live feed at these devices, and keeps what comes for them also while no row of theirs is in view. */
export function useWatch(devices: readonly string[]): void {
  const { connection, values } = useServices();
  const joined = devices.join(',');
  useEffect(() => {
    const ids = joined === '' ? [] : joined.split(',');
    connection.watch(ids);
    const releases = ids.map((id) => values.subscribe(id, noop));
    return () => {
      for (const release of releases) release();
    };
  }, [connection, values, joined]);
}
