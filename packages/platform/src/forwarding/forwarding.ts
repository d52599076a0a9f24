import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Log, LogReader, Offset, PartitionId } from '../log/log.ts';
import { Backlog, type BacklogBounds } from './backlog.ts';
import { messageOf } from './delivering.ts';
import type { DeliveryTarget } from './delivery.ts';
import { DeviceJudge } from './device-judge.ts';
import { healthOf, isRefusing, type Refusals } from './forwarder-health.ts';
import type { ForwarderEvent, ForwarderState, OpenForwarder, RefusedRecord, TestOutcome } from './forwarder.ts';
import { ForwarderRun } from './forwarder-run.ts';
import { type Counters, MAX_REFUSED, type Place, type PlaceStore } from './place-store.ts';
import { RegistryWatch } from './registry-watch.ts';
import { RefusedResending } from './refused-resending.ts';
import type { SampleReader } from './samples.ts';

export interface ForwardingOptions {
  readonly log: Log;
  readonly places: PlaceStore;
  /** To be read. */
  readonly registry: Database;
  readonly openTarget: (open: OpenForwarder) => DeliveryTarget;
  /** For one forwarder: what it remembers of a device's messages belongs to their order. */
  readonly openSamples: () => SampleReader & Disposable;
  readonly bounds: BacklogBounds;
  readonly publish: (event: ForwarderEvent) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logLines: LogLines;
}

interface Entry {
  open: OpenForwarder;
  readonly places: Map<number, Place>;
  readonly counters: Counters;
  refused: number;
  /** What the target said of the last record it refused, before this run. */
  lastRefusal: ForwarderState['lastRefusal'];
  judge: DeviceJudge | undefined;
  /** Undefined: it is paused. */
  run: ForwarderRun | undefined;
}

/** Places are kept so often: what was delivered since is delivered again after a crash. */
const SAVE_MS = 500;

/** All forwarders: what each has sent is kept here, and what none needs any more the log is told. */
export class Forwarding implements AsyncDisposable {
  readonly #options: ForwardingOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #ends = new Map<number, LogReader>();
  readonly #watch: RegistryWatch;
  readonly #backlog: Backlog;
  readonly #resending: RefusedResending;
  #cancel: (() => void) | undefined;
  /** One change after the other. */
  #changing: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: ForwardingOptions) {
    this.#options = options;
    const { registry, clock, logLines } = options;
    this.#backlog = new Backlog(options);
    this.#resending = new RefusedResending(options);
    const judges = (): readonly DeviceJudge[] => [...this.#entries.values()].flatMap(({ judge }) => judge ?? []);
    this.#watch = new RegistryWatch({
      registry,
      watcher: {
        forget: (device) => judges().forEach((judge) => judge.forget(device)),
        clear: () => judges().forEach((judge) => judge.clear()),
        removed: (device) => this.forgetDevice(device),
      },
      clock,
      logLines,
    });
  }

  /** Takes up where each of them was. What is kept of others is forgotten: they were removed. */
  async start(forwarders: readonly OpenForwarder[]): Promise<void> {
    const { log, places, logLines } = this.#options;
    const known = places.log;
    if (known !== log.identity) {
      if (known !== undefined)
        logLines.warn({ known, log: log.identity }, 'The log is another one: forwarders begin with all it has');
      places.useLog(log.identity);
    }
    for (const partition of log.partitions)
      this.#ends.set(partition, await log.openReader(partition, await log.oldest(partition)));
    const there = new Set(forwarders.map(({ forwarder }) => forwarder.id));
    for (const id of places.forwarders()) if (!there.has(id)) places.forget(id);
    await this.#watch.start();
    for (const open of forwarders) await this.#put(open, known !== undefined && known !== log.identity);
    this.#save();
    this.#later();
  }

  /** Adds a forwarder, or goes on with what it is now, where it was. */
  async put(open: OpenForwarder): Promise<void> {
    await this.#oneByOne(async () => {
      await this.#put(open, false);
      this.#save();
    });
  }

  async remove(id: string): Promise<void> {
    await this.#oneByOne(async () => {
      const entry = this.#entries.get(id);
      this.#entries.delete(id);
      await entry?.run?.[Symbol.asyncDispose]();
      this.#options.places.forget(id);
      this.#hold();
    });
  }

  /** Sends what the log has anew, or nothing of it. @throws SelsynError `forwarder.not-found` */
  async reset(id: string, to: 'now' | 'beginning'): Promise<void> {
    await this.#oneByOne(async () => {
      const entry = this.#entry(id);
      await entry.run?.[Symbol.asyncDispose]();
      for (const partition of this.#options.log.partitions) entry.places.set(partition, await this.#startOf(partition, to));
      this.#save();
      this.#run(entry);
    });
  }

  /** Resolves once what has changed in the registry counts; without it that takes a quarter of a second. */
  async followRegistry(): Promise<void> {
    await this.#watch.look();
  }

  async test(open: OpenForwarder): Promise<TestOutcome> {
    const { clock, openTarget, openSamples } = this.#options;
    const startedMs = clock.monotonicMs();
    const deadline = new AbortController();
    const cancel = clock.after(10_000, () => deadline.abort(new Error('no answer within 10 s')));
    const payload = Buffer.from(JSON.stringify({ test: 1 }));
    const source = {
      partition: -1,
      offset: 0,
      arrivalMs: clock.now(),
      device: 'selsyn-test',
      topic: 'telemetry/selsyn-test',
      payload,
    };
    using samples = openSamples();
    const read = open.forwarder.format === 'raw' ? undefined : samples.read(source);
    const record = { ...source, ...(read !== undefined && { samples: read }) };
    const delivery = {
      key: `test-${source.arrivalMs}`,
      partition: -1,
      nextOffset: 0,
      records: [record],
      sizeBytes: payload.length,
    };
    await using target = openTarget(open);
    try {
      await target.deliver({ ...delivery, filtered: 0, undecodable: 0 }, deadline.signal);
      return { ok: true, durationMs: Math.round(clock.monotonicMs() - startedMs) };
    } catch (error) {
      return { ok: false, durationMs: Math.round(clock.monotonicMs() - startedMs), message: messageOf(error) };
    } finally {
      cancel();
    }
  }

  async states(): Promise<readonly ForwarderState[]> {
    const states: ForwarderState[] = [];
    for (const entry of this.#entries.values()) states.push(await this.#state(entry));
    return states;
  }

  /** What can be said at once: for metrics. */
  *sums(): Generator<
    {
      readonly id: string;
      readonly lagRecords: number;
      readonly isFailing: boolean;
      readonly isRefused: boolean;
      readonly refused: number;
    } & Counters
  > {
    for (const [id, entry] of this.#entries) {
      const isFailing = entry.run !== undefined && entry.run.circuit.state !== 'closed';
      const isRefused = isRefusing(refusalsOf(entry));
      yield { id, lagRecords: this.#lagRecords(entry), isFailing, isRefused, refused: entry.refused, ...entry.counters };
    }
  }

  refused(id: string, after: number, limit: number): readonly RefusedRecord[] {
    return this.#options.places.refused(id, after, limit);
  }

  /** Nothing that this device sent is kept here from now on. What the log has of it goes with the log. */
  forgetDevice(device: string): void {
    const { places } = this.#options;
    if (places.removeRefusedOf(device) === 0) return;
    for (const [id, entry] of this.#entries) entry.refused = places.refusedCount(id);
  }

  /** @throws SelsynError `forwarder.not-found` */
  async resend(id: string): Promise<{ readonly sent: number; readonly left: number }> {
    const entry = this.#entry(id);
    const outcome = await this.#resending.resend(entry.open);
    entry.refused = this.#options.places.refusedCount(id);
    if (outcome.sent > 0) entry.counters.refusedInRow = 0;
    entry.run?.circuit.reset();
    return outcome;
  }

  /** @throws SelsynError `forwarder.not-found` */
  discard(id: string): { readonly discarded: number } {
    const entry = this.#entry(id);
    const discarded = this.#options.places.discardRefused(id);
    entry.refused = 0;
    entry.counters.refusedInRow = 0;
    entry.run?.circuit.reset();
    return { discarded };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    await this.#changing;
    await Promise.all([...this.#entries.values()].map(async ({ run }) => await run?.[Symbol.asyncDispose]()));
    this.#save();
    await this.#watch[Symbol.asyncDispose]();
    for (const reader of this.#ends.values()) await reader[Symbol.asyncDispose]();
  }

  async #put(open: OpenForwarder, fromBeginning: boolean): Promise<void> {
    const { log, places } = this.#options;
    const { id, startAt } = open.forwarder;
    const before = this.#entries.get(id);
    await before?.run?.[Symbol.asyncDispose]();
    const kept = before?.places ?? places.places(id);
    // One that has counted and has no place was there when the log was another one, and was ended before its places were kept.
    const isNew = kept.size === 0 && !fromBeginning && !places.forwarders().includes(id);
    for (const partition of log.partitions) {
      const place = kept.get(partition);
      // A partition that was added later has nothing that the forwarder was not meant to have.
      if (place === undefined) kept.set(partition, await this.#startOf(partition, isNew ? startAt : 'beginning'));
      else if (place.position > this.#endOf(partition)) kept.set(partition, await this.#startOf(partition, 'now'));
    }
    const counters = before?.counters ?? places.counters(id);
    // What was refused says nothing of what it is now.
    if (before !== undefined) counters.refusedInRow = 0;
    const entry: Entry = {
      open,
      places: kept,
      counters,
      lastRefusal: places.lastRefusal(id),
      refused: places.refusedCount(id),
      judge: undefined,
      run: undefined,
    };
    this.#entries.set(id, entry);
    this.#run(entry);
  }

  #run(entry: Entry): void {
    const { log, places, registry, openTarget, openSamples, clock, random, logLines } = this.#options;
    const { forwarder } = entry.open;
    entry.run = undefined;
    entry.judge = undefined;
    if (forwarder.paused || this.#isClosed) return;
    const { id, filter, format } = forwarder;
    const asksDevices = filter.filter !== undefined || filter.group !== undefined || (filter.types?.length ?? 0) > 0;
    entry.judge = asksDevices ? new DeviceJudge({ registry, clock, filter }) : undefined;
    entry.run = new ForwarderRun({
      forwarder,
      log,
      places: entry.places,
      counters: entry.counters,
      target: openTarget(entry.open),
      judge: entry.judge,
      samples: format === 'samples' ? openSamples() : undefined,
      setAside: ({ partition, offset, device, topic, arrivalMs, payload }, reason) => {
        if (entry.refused >= MAX_REFUSED) return false;
        places.putRefused(id, { partition, offset, device, topic, arrivalMs, payload, reason, refusedAtMs: clock.now() });
        entry.refused = places.refusedCount(id);
        return true;
      },
      tell: (event) => this.#options.publish({ ...event, forwarder: id, atMs: clock.now() }),
      clock,
      random,
      logLines,
    });
    entry.run.start();
  }

  async #startOf(partition: PartitionId, at: 'now' | 'beginning'): Promise<Place> {
    const position = at === 'now' ? this.#endOf(partition) : await this.#options.log.oldest(partition);
    return { position, arrivalMs: at === 'now' ? this.#options.clock.now() : 0 };
  }

  #endOf(partition: number): number {
    return this.#ends.get(partition)?.end ?? 0;
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new SelsynError('forwarder.not-found', `there is no forwarder ${id}`, { details: { id } });
    return entry;
  }

  #later(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#options.clock.after(SAVE_MS, () => {
      this.#save();
      for (const [id, { places }] of this.#entries) this.#backlog.look(id, places);
      this.#later();
    });
  }

  /** First the places are on disk, then the log may let go of what lies before them. */
  #save(): void {
    try {
      this.#options.places.save([...this.#entries].map(([forwarder, { places, counters }]) => ({ forwarder, places, counters })));
    } catch (error) {
      this.#options.logLines.error({ err: error }, 'The places of forwarders could not be written; they are written later');
      return;
    }
    this.#hold();
  }

  #hold(): void {
    const { log } = this.#options;
    for (const partition of log.partitions) {
      let from: number | undefined;
      for (const { places } of this.#entries.values()) {
        const position = places.get(partition)?.position ?? 0;
        if (from === undefined || position < from) from = position;
      }
      log.hold(partition, from as Offset | undefined);
    }
  }

  #lagRecords({ places }: Entry): number {
    return [...places].reduce((sum, [partition, { position }]) => sum + Math.max(0, this.#endOf(partition) - position), 0);
  }

  async #state(entry: Entry): Promise<ForwarderState> {
    const { open, places, counters, run, refused } = entry;
    const circuit = run?.circuit.state ?? 'closed';
    const lastRefusal = run?.lastRefusal ?? entry.lastRefusal;
    const { bytes, seconds } = await this.#backlog.of(places, (partition) => run?.sendingSinceMs.get(partition));
    const lastError = run?.readError ?? run?.circuit.lastError;
    return {
      id: open.forwarder.id,
      lagRecords: this.#lagRecords(entry),
      lagSeconds: seconds,
      lagBytes: bytes,
      ...counters,
      refused,
      ...(lastRefusal !== undefined && { lastRefusal }),
      health: healthOf(circuit, refusalsOf(entry)),
      circuit,
      ...(lastError !== undefined && { lastError }),
      ...(run?.lastSentMs !== undefined && { lastSentMs: run.lastSentMs }),
      ...(run?.lastSkip !== undefined && { lastSkip: run.lastSkip }),
      partitions: [...places].map(([partition, { position }]) => ({ partition, position, end: this.#endOf(partition) })),
    };
  }

  async #oneByOne(work: () => Promise<void>): Promise<void> {
    const run = this.#changing.then(work);
    this.#changing = run.catch(() => undefined);
    await run;
  }
}

/** One that is paused waits for nothing. */
function refusalsOf({ run, counters }: Entry): Refusals {
  return run?.refusals ?? { refusedInRow: counters.refusedInRow, sent: counters.sent, isHolding: false };
}
