import { useSyncExternalStore } from 'react';

const STEP_PX = 200;

/** The window's width in steps of 200 px: enough to choose the length of buckets. */
export function useSteppedWidth(): number {
  return useSyncExternalStore(subscribe, () => Math.ceil(window.innerWidth / STEP_PX) * STEP_PX);
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('resize', listener);
  return () => window.removeEventListener('resize', listener);
}
