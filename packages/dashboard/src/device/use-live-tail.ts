import { useEffect, useMemo } from 'react';
import { useServices } from '../app/services.ts';
import { LiveTail } from './live-tail.ts';

/** The points that come for a device while its page is open. */
export function useLiveTail(device: string): LiveTail {
  const { values } = useServices();
  const tail = useMemo(() => ({ device, tail: new LiveTail() }), [device]).tail;
  useEffect(() => values.subscribePoints(device, (points) => tail.add(points)), [values, device, tail]);
  return tail;
}
