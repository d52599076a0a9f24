import type { Clock } from '../kernel/clock.ts';
import { messageOf } from './delivering.ts';
import type { DeliveryTarget } from './delivery.ts';
import type { OpenForwarder } from './forwarder.ts';
import type { PlaceStore } from './place-store.ts';
import { RecordFilter } from './record-filter.ts';
import type { SampleReader } from './samples.ts';

/** Whoever has asked waits so long; what is left stays set aside. */
const TOTAL_MS = 20_000;
const EACH_MS = 5_000;
const PAGE = 100;

export interface RefusedResendingOptions {
  readonly places: PlaceStore;
  readonly openTarget: (open: OpenForwarder) => DeliveryTarget;
  readonly openSamples: () => SampleReader & Disposable;
  readonly clock: Clock;
}

/**
 * Sends again what a target has refused: one by one, in the order in which it came. What is refused again stays, and what cannot be read
 * any more; of samples only those go that the filter wants.
 */
export class RefusedResending {
  readonly #options: RefusedResendingOptions;

  constructor(options: RefusedResendingOptions) {
    this.#options = options;
  }

  async resend(open: OpenForwarder): Promise<{ readonly sent: number; readonly left: number }> {
    const { places, openTarget, clock, openSamples } = this.#options;
    const { id, format } = open.forwarder;
    const endMs = clock.monotonicMs() + TOTAL_MS;
    await using target = openTarget(open);
    using samples = openSamples();
    const filter = new RecordFilter(open.forwarder.filter);
    samples.follow();
    let [sent, after] = [0, 0];
    for (;;) {
      const page = places.refused(id, after, PAGE);
      for (const refused of page) {
        if (clock.monotonicMs() > endMs) return { sent, left: places.refusedCount(id) };
        after = refused.number;
        const { number, refusedAtMs: _, reason: _reason, ...source } = refused;
        const read = format === 'raw' ? undefined : samples.read(source);
        if (format !== 'raw' && read === undefined) {
          places.putRefused(id, { ...source, refusedAtMs: clock.now(), reason: 'it cannot be read as telemetry any more' });
          continue;
        }
        const wanted = read && filter.only(read);
        if (wanted?.length === 0) {
          places.removeRefused([number]);
          continue;
        }
        const record = { ...source, ...(wanted !== undefined && { samples: wanted }) };
        const { partition, offset, payload } = source;
        const key = `again-${partition}-${offset}-${offset + 1}`;
        const deadline = new AbortController();
        const cancel = clock.after(EACH_MS, () => deadline.abort(new Error(`no answer within ${EACH_MS / 1000} s`)));
        try {
          await target.deliver(
            { key, partition, nextOffset: offset + 1, records: [record], sizeBytes: payload.length, filtered: 0, undecodable: 0 },
            deadline.signal,
          );
          places.removeRefused([number]);
          sent += 1;
        } catch (error) {
          places.putRefused(id, { ...source, refusedAtMs: clock.now(), reason: messageOf(error) });
        } finally {
          cancel();
        }
      }
      if (page.length < PAGE) return { sent, left: places.refusedCount(id) };
    }
  }
}
