import type { Clock } from '../kernel/clock.ts';
import type { Circuit } from './circuit.ts';
import { DeliveryError, type Delivery, type DeliveryTarget, type OutgoingRecord } from './delivery.ts';

export interface DeliveringOptions {
  readonly target: DeliveryTarget;
  readonly circuit: Circuit;
  readonly clock: Clock;
  /** A part of the delivery is done: everything before its `nextOffset`. */
  readonly onSent: (part: Delivery) => void;
  readonly onFailure: (message: string, isDead: boolean) => void;
  readonly onRecovered: () => void;
  /**
   * The record was refused for good.
   *
   * @param wereOthersTaken of those that were sent together with it
   * @returns false: there is no more room for such, it is to be tried again
   */
  readonly setAside: (record: OutgoingRecord, reason: string, wereOthersTaken: boolean) => boolean;
}

/** A target has so long for a delivery. */
const DEADLINE_MS = 30_000;
/** A record that is refused by itself is tried so often before it is set aside: a target may have been wrong about it. */
const REFUSED_TRIES = 3;
const REFUSED_PAUSE_MS = 250;

/**
 * Delivers until all is done, however long that takes.
 *
 * What is refused is cut in halves until the records are found that the target does not take: of a thousand, one costs some twenty
 * attempts. Each is tried three times by itself and then set aside; the others go on in their order.
 *
 * @param stop nothing more is begun
 * @param kill what is under way is broken off too
 * @throws the reason of either signal
 */
export async function deliverAll(
  delivery: Delivery,
  options: DeliveringOptions,
  stop: AbortSignal,
  kill: AbortSignal,
): Promise<void> {
  const parts = [delivery];
  let refusals = 0;
  let wereOthersTaken = false;
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const refused = await attempt(part, options, stop, kill);
    const [first] = part.records;
    if (refused === undefined || first === undefined) {
      refusals = 0;
      wereOthersTaken = false;
      options.onSent(part);
      continue;
    }
    if (part.records.length > 1) {
      const { taken, left } =
        refused.offsets === undefined ? { taken: undefined, left: halvesOf(part) } : refusedOf(part, refused.offsets);
      wereOthersTaken = (taken?.records.length ?? 0) > 0;
      if (taken !== undefined) options.onSent(taken);
      parts.push(...left);
      continue;
    }
    refusals += 1;
    if (refusals < REFUSED_TRIES) {
      parts.push(part);
      await pause(options.clock, REFUSED_PAUSE_MS * refusals, stop);
      continue;
    }
    refusals = 0;
    if (options.setAside(first, refused.message, wereOthersTaken)) {
      options.onSent({ ...part, records: [], sizeBytes: 0 });
      continue;
    }
    // Rather than to lose it: whoever looks finds the forwarder failing, and says what is to become of those that were set aside.
    parts.push(part);
    const isDead = options.circuit.failed(await options.circuit.admit(stop), `too many records were refused: ${refused.message}`);
    options.onFailure(refused.message, isDead);
  }
}

/** Tries until the target has taken it, or has refused it. @returns why it was refused */
async function attempt(
  part: Delivery,
  { target, circuit, clock, onFailure, onRecovered }: DeliveringOptions,
  stop: AbortSignal,
  kill: AbortSignal,
): Promise<DeliveryError | undefined> {
  for (;;) {
    const admission = await circuit.admit(stop);
    const deadline = new AbortController();
    const cancel = clock.after(DEADLINE_MS, () => deadline.abort(new Error(`no answer within ${DEADLINE_MS / 1000} s`)));
    const onKill = (): void => deadline.abort(kill.reason);
    kill.addEventListener('abort', onKill, { once: true });
    try {
      if (part.records.length > 0) await Promise.race([target.deliver(part, deadline.signal), aborted(deadline.signal)]);
      if (circuit.succeeded()) onRecovered();
      return undefined;
    } catch (error) {
      if (kill.aborted) {
        circuit.leave();
        throw error;
      }
      if (error instanceof DeliveryError && error.kind === 'refused') {
        // It answers: nothing is wrong with the way to it.
        if (circuit.succeeded()) onRecovered();
        return error;
      }
      const message = messageOf(error);
      onFailure(message, circuit.failed(admission, message, error instanceof DeliveryError ? error.retryAfterMs : undefined));
    } finally {
      cancel();
      kill.removeEventListener('abort', onKill);
    }
  }
}

/** The right half first: it is popped last. */
function halvesOf(part: Delivery): readonly Delivery[] {
  const middle = part.records.length >> 1;
  const right = part.records.slice(middle);
  return [
    { ...partOf(part, right, part.nextOffset), filtered: 0, undecodable: 0 },
    partOf(part, part.records.slice(0, middle), right[0]!.offset),
  ];
}

/** What was taken, up to the first record that was not, and each of those by itself: the last one first. */
function refusedOf(
  part: Delivery,
  offsets: ReadonlySet<number>,
): { readonly taken: Delivery; readonly left: readonly Delivery[] } {
  const refused = part.records.filter(({ offset }) => offsets.has(offset));
  const taken = part.records.filter(({ offset }) => !offsets.has(offset));
  const left = refused.map((record, index) => ({
    ...partOf(part, [record], refused[index + 1]?.offset ?? part.nextOffset),
    filtered: 0,
    undecodable: 0,
  }));
  return { taken: partOf(part, taken, refused[0]?.offset ?? part.nextOffset), left: left.toReversed() };
}

function partOf(part: Delivery, records: readonly OutgoingRecord[], nextOffset: number): Delivery {
  const [identity] = part.key.split('-');
  const key = `${identity}-${part.partition}-${records[0]?.offset ?? nextOffset}-${nextOffset}`;
  return { ...part, key, nextOffset, records, sizeBytes: sizeOf(records) };
}

function sizeOf(records: readonly OutgoingRecord[]): number {
  return records.reduce((sum, { payload }) => sum + payload.length, 0);
}

async function aborted(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('broken off'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  const cancel = clock.after(ms, stop);
  signal.addEventListener('abort', stop, { once: true });
  await promise;
  cancel();
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
}

/** What went wrong, with what was beneath it: libraries say too little at the top. */
export function messageOf(error: unknown): string {
  const said: string[] = [];
  for (
    let at: unknown = error;
    at instanceof Error && said.length < 4;
    at = at instanceof AggregateError ? at.errors[0] : at.cause
  )
    if (at.message !== '' && !said.includes(at.message)) said.push(at.message);
  return (said.join(': ') || String(error)).slice(0, 500);
}
