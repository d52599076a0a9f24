import type { CircuitState } from './forwarder.ts';

/**
 * `failing`: the way to the target, or the target, does not work. `retrying`: it failed lately. `refusing`: the target answers, and takes
 * none of the records that it is given. `well`: else.
 */
export type ForwarderHealth = 'well' | 'refusing' | 'retrying' | 'failing';

/** So many records refused in a row are no longer the fault of some records; a device that is broken may send a few. */
const REFUSING_AFTER = 5;

export interface Refusals {
  /** Records set aside since the target took one. */
  readonly refusedInRow: number;
  /** Records that the target has taken, ever. */
  readonly sent: number;
  /** Whether a record waits because no more can be set aside. */
  readonly isHolding: boolean;
}

/** Whether the target refuses what it is given. One that has never taken a record is not given the benefit of the doubt. */
export function isRefusing({ refusedInRow, sent, isHolding }: Refusals): boolean {
  return isHolding || refusedInRow >= (sent === 0 ? 1 : REFUSING_AFTER);
}

export function healthOf(circuit: CircuitState, refusals: Refusals): ForwarderHealth {
  if (circuit === 'open' || circuit === 'half-open') return 'failing';
  // One that holds tries again, too: what it is about is the refusal.
  if (isRefusing(refusals)) return 'refusing';
  return circuit === 'retrying' ? 'retrying' : 'well';
}
