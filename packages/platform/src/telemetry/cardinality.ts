import type { Clock } from '../kernel/clock.ts';
import type { CardinalityReport, CardinalityUsage, RefusedSeries } from './cardinality-report.ts';
import type { Device, DeviceTable } from './device-table.ts';
import { SeriesCensus } from './series-census.ts';
import { SeriesGrowth } from './series-growth.ts';
import type { SeriesRefusal } from './series-quota.ts';

/** A report is given again for so long. */
const FRESH_MS = 15_000;
const LOOK_MS = 60_000;
/** Devices whose messages were refused that are remembered; the one that was not refused for longest goes. */
const MAX_REFUSED = 1_000;
const TOP_REFUSED = 20;
const LEARNED_AT_ONCE = 32;

/** Tells how many series there are, what makes them, and who was refused more. Belongs to the thread that writes telemetry. */
export class Cardinality {
  readonly #devices: DeviceTable;
  readonly #growth: SeriesGrowth;
  readonly #clock: Clock;
  readonly #refused = new Map<string, { scope: RefusedSeries['scope']; messages: number; lastMs: number }>();
  #census: SeriesCensus | undefined;
  #waiting: PromiseWithResolvers<CardinalityReport> | undefined;
  #last: { readonly report: CardinalityReport; readonly atMs: number } | undefined;
  #lookedMs = -Infinity;
  /** Devices whose type is still to be learned, after a start; undefined: all are. */
  #untyped: Iterator<Device> | undefined;
  readonly #learnType: (device: Device) => boolean;

  /** @param dependencies.learnType looks up the type of a device where that is not known; false: not now */
  constructor(dependencies: {
    readonly devices: DeviceTable;
    readonly dir: string;
    readonly clock: Clock;
    readonly learnType: (device: Device) => boolean;
  }) {
    this.#devices = dependencies.devices;
    this.#growth = new SeriesGrowth(dependencies.dir);
    this.#clock = dependencies.clock;
    this.#learnType = dependencies.learnType;
  }

  /** All series of the catalog are known. */
  open(): void {
    this.#growth.open(this.#clock.now(), this.#devices.nextSeries);
    this.#untyped = this.#devices.all()[Symbol.iterator]();
  }

  get usage(): CardinalityUsage {
    return SeriesCensus.usageOf(this.#devices, this.#devices.near);
  }

  refused(device: Device, { scope }: SeriesRefusal, atMs: number): void {
    const { messages } = this.#refused.get(device.id) ?? { messages: 0 };
    this.#refused.delete(device.id);
    this.#refused.set(device.id, { scope, messages: messages + 1, lastMs: atMs });
    const [oldest] = this.#refused.keys();
    if (oldest !== undefined && this.#refused.size > MAX_REFUSED) this.#refused.delete(oldest);
  }

  /** Resolves once all series are counted: whoever asks meanwhile shares it. */
  async report(): Promise<CardinalityReport> {
    if (this.#waiting !== undefined) return await this.#waiting.promise;
    const nowMs = this.#clock.monotonicMs();
    if (this.#last !== undefined && nowMs - this.#last.atMs < FRESH_MS) return this.#last.report;
    this.#waiting = Promise.withResolvers();
    this.#growth.look(this.#clock.now(), this.#devices.nextSeries);
    this.#census = new SeriesCensus(this.#devices, this.#growth.boundaries(this.#clock.now()));
    return await this.#waiting.promise;
  }

  /** One slice of what is to be done, some 100 µs. @returns true when there is more */
  step(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = nowMs;
      this.#growth.look(this.#clock.now(), this.#devices.nextSeries);
    }
    if (this.#untyped !== undefined) return this.#learnTypes(this.#untyped);
    if (this.#census === undefined) return false;
    if (!this.#census.step()) return true;
    const report = this.#census.report(this.#clock.now(), this.#growth, this.usage, this.#topRefused());
    this.#census = undefined;
    this.#last = { report, atMs: nowMs };
    this.#waiting?.resolve(report);
    this.#waiting = undefined;
    return false;
  }

  /** Until all are known, those that have not sent since the start do not count for their type. */
  #learnTypes(untyped: Iterator<Device>): boolean {
    for (let i = 0; i < LEARNED_AT_ONCE; i++) {
      const next = untyped.next();
      if (next.done === true) {
        this.#untyped = undefined;
        return this.#census !== undefined;
      }
      // A registry that cannot be read holds up telemetry too: what is skipped here is learned with the next record of the device.
      if (next.value.table !== undefined && !this.#learnType(next.value)) return false;
    }
    return true;
  }

  #topRefused(): RefusedSeries[] {
    return [...this.#refused]
      .map(([device, refused]) => ({ device, ...refused }))
      .sort((a, b) => b.messages - a.messages)
      .slice(0, TOP_REFUSED);
  }
}
