import { useSyncExternalStore } from 'react';
import { useServices } from '../app/services.ts';
import { formatAge, formatTime } from '../format/age.ts';

/** A time as its distance from now, ahead or back; the time itself in the title. */
export function When({ timeMs }: { readonly timeMs: number }) {
  const { ticker } = useServices();
  const nowMs = useSyncExternalStore(ticker.subscribe, ticker.now);
  return (
    <time dateTime={new Date(timeMs).toISOString()} title={formatTime(timeMs)}>
      {formatAge(nowMs - timeMs)}
    </time>
  );
}
