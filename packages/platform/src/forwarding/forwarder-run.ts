import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Log, PartitionId } from '../log/log.ts';
import { Circuit } from './circuit.ts';
import { deliverAll, messageOf } from './delivering.ts';
import type { Delivery, DeliveryTarget, OutgoingRecord } from './delivery.ts';
import type { DeviceJudge } from './device-judge.ts';
import type { Forwarder, ForwarderEvent } from './forwarder.ts';
import { isRefusing, type Refusals } from './forwarder-health.ts';
import { Lane } from './lane.ts';
import type { Counters, Place } from './place-store.ts';
import { RecordFilter } from './record-filter.ts';
import type { SampleReader } from './samples.ts';

export interface ForwarderRunOptions {
  readonly forwarder: Forwarder;
  readonly log: Log;
  /** By partition; moved on here as records are done with. */
  readonly places: Map<number, Place>;
  /** Counted on here. */
  readonly counters: Counters;
  readonly target: DeliveryTarget;
  readonly judge: DeviceJudge | undefined;
  /** Belongs to this. */
  readonly samples: (SampleReader & Disposable) | undefined;
  /** Keeps a record that the target refuses, durably. @returns false: there is no room */
  readonly setAside: (record: OutgoingRecord, reason: string) => boolean;
  readonly tell: (event: Omit<ForwarderEvent, 'forwarder' | 'atMs'>) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logLines: LogLines;
}

const READ_RETRY_MS = 5_000;
/** What is under way when a forwarder stops may still be answered for so long: it would be sent twice else. */
const GRACE_MS = 5_000;

/** A forwarder that is not paused: reads each partition, and sends what it reads. */
export class ForwarderRun implements AsyncDisposable {
  readonly circuit: Circuit;
  readonly #options: ForwarderRunOptions;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  #lanes: Promise<void>[] = [];
  /** When the oldest record that is being sent arrived, by partition. */
  readonly sendingSinceMs = new Map<number, number>();
  lastSentMs: number | undefined;
  /** What the target said of the last record that it refused. */
  lastRefusal: { readonly message: string; readonly atMs: number } | undefined;
  /** Partitions in which a refused record waits, as no more can be set aside. */
  readonly #holding = new Set<number>();
  lastSkip: { readonly records: number; readonly atMs: number } | undefined;
  readError: { readonly message: string; readonly atMs: number } | undefined;

  constructor(options: ForwarderRunOptions) {
    this.#options = options;
    this.circuit = new Circuit(options);
  }

  start(): void {
    this.#lanes = this.#options.log.partitions.map(async (partition) => await this.#run(partition));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const cancel = this.#options.clock.after(GRACE_MS, () => this.#kill.abort());
    await Promise.all(this.#lanes);
    cancel();
    this.#options.samples?.[Symbol.dispose]();
    await this.#options.target[Symbol.asyncDispose]();
  }

  async #run(partition: PartitionId): Promise<void> {
    const { forwarder, log, places, judge, samples, clock } = this.#options;
    const { signal } = this.#stop;
    await using lane = new Lane(
      {
        log,
        partition,
        batch: forwarder.batch,
        filter: new RecordFilter(forwarder.filter),
        judge,
        samples,
        clock,
        onSkipped: (records) => this.#skipped(partition, records),
      },
      places.get(partition)?.position ?? 0,
    );
    // The next delivery is read while one is on its way.
    let next = settledGather(lane, signal);
    while (!signal.aborted) {
      const gathered = await next;
      if ('error' in gathered) {
        if (signal.aborted) return;
        this.#readFailed(partition, gathered.error);
        await this.#pause(READ_RETRY_MS);
        next = settledGather(lane, signal);
        continue;
      }
      this.readError = undefined;
      next = settledGather(lane, signal);
      await this.#deliverSurely(gathered.delivery);
    }
    await next;
  }

  /** Until it is done, or this stops: a bug must not let records fall between two deliveries. */
  async #deliverSurely(delivery: Delivery): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      try {
        return await this.#deliver(delivery);
      } catch (error) {
        if (signal.aborted) return;
        const { forwarder, logLines } = this.#options;
        logLines.error({ err: error, forwarder: forwarder.id }, 'A forwarder failed for a reason of our own; it is tried again');
        await this.#pause(READ_RETRY_MS);
      }
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { target, clock, setAside, forwarder, logLines, tell, counters } = this.#options;
    const { partition, records } = delivery;
    if (records.length === 0) return this.#done(delivery);
    this.sendingSinceMs.set(partition, records[0]!.arrivalMs);
    try {
      await deliverAll(
        delivery,
        {
          target,
          circuit: this.circuit,
          clock,
          setAside: (record, reason, wereOthersTaken) => {
            const isKept = setAside(record, reason);
            if (isKept) tell({ event: 'refused', message: reason, records: 1 });
            this.#refused(partition, reason, { isKept, wereOthersTaken });
            return isKept;
          },
          onSent: (part) => this.#done(part),
          onFailure: (message, isDead) => {
            counters.failures += 1;
            if (!isDead) return;
            logLines.warn(
              { forwarder: forwarder.id, reason: message },
              'The target of a forwarder fails: it is tried now and then',
            );
            tell({ event: 'failing', message });
          },
          onRecovered: () => {
            logLines.info({ forwarder: forwarder.id }, 'The target of a forwarder takes records again');
            tell({ event: 'recovered', message: 'the target takes records again' });
          },
        },
        this.#stop.signal,
        this.#kill.signal,
      );
    } finally {
      this.sendingSinceMs.delete(partition);
    }
  }

  get refusals(): Refusals {
    const { refusedInRow, sent } = this.#options.counters;
    return { refusedInRow, sent, isHolding: this.#holding.size > 0 };
  }

  #refused(partition: number, message: string, how: { readonly isKept: boolean; readonly wereOthersTaken: boolean }): void {
    const { counters, clock, forwarder, logLines, tell } = this.#options;
    const wasRefusing = isRefusing(this.refusals);
    this.lastRefusal = { message, atMs: clock.now() };
    if (how.isKept) this.#holding.delete(partition);
    else this.#holding.add(partition);
    if (how.isKept && !how.wereOthersTaken) counters.refusedInRow += 1;
    if (wasRefusing || !isRefusing(this.refusals)) return;
    logLines.warn({ forwarder: forwarder.id, reason: message }, 'The target of a forwarder refuses what it is sent');
    tell({ event: 'refusing', message });
  }

  /** The target has taken something of a partition. */
  #taken(partition: number): void {
    const { counters, forwarder, logLines, tell } = this.#options;
    const wasRefusing = isRefusing(this.refusals);
    counters.refusedInRow = 0;
    this.#holding.delete(partition);
    if (!wasRefusing || isRefusing(this.refusals)) return;
    logLines.info({ forwarder: forwarder.id }, 'The target of a forwarder takes records again');
    tell({ event: 'recovered', message: 'the target takes records again' });
  }

  #done({ partition, nextOffset, records, sizeBytes, filtered, undecodable }: Delivery): void {
    const { places, counters, clock } = this.#options;
    counters.filtered += filtered;
    counters.undecodable += undecodable;
    const arrivalMs = records.at(-1)?.arrivalMs ?? places.get(partition)?.arrivalMs ?? 0;
    places.set(partition, { position: nextOffset, arrivalMs });
    if (records.length === 0) return;
    this.#taken(partition);
    counters.sent += records.length;
    counters.sentBytes += sizeBytes;
    counters.batches += 1;
    this.lastSentMs = clock.now();
  }

  #skipped(partition: number, records: number): void {
    const { counters, clock, forwarder, logLines, tell } = this.#options;
    counters.skipped += records;
    this.lastSkip = { records, atMs: clock.now() };
    logLines.error(
      { forwarder: forwarder.id, partition, records },
      'The log has let go of records that a forwarder had not sent: its backlog was at its bounds',
    );
    tell({ event: 'skipped', records, message: `${records} records were never sent: the backlog was at its bounds` });
  }

  #readFailed(partition: number, error: unknown): void {
    const { clock, forwarder, logLines } = this.#options;
    this.readError = { message: messageOf(error), atMs: clock.now() };
    logLines.error({ err: error, forwarder: forwarder.id, partition }, 'A forwarder cannot read the log; it is tried again');
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = (): void => resolve();
    const cancel = this.#options.clock.after(ms, stop);
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    await promise;
    cancel();
    this.#stop.signal.removeEventListener('abort', stop);
  }
}

/** Never rejects: what is read ahead may be waited for late. */
async function settledGather(
  lane: Lane,
  signal: AbortSignal,
): Promise<{ readonly delivery: Delivery } | { readonly error: unknown }> {
  try {
    return { delivery: await lane.gather(signal) };
  } catch (error) {
    return { error };
  }
}
