import type { Clock } from '../kernel/clock.ts';
import { isDeviceId, type DeviceId } from '../kernel/device-id.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import { isEverything, type Scope } from '../registry/scope.ts';
import type { StateFeed } from '../state/event-feed.ts';
import type { StateEvent } from '../state/state-events.ts';

/** How long a device that was moved, or is no member any more, may still be seen, or not be seen yet. */
const REMEMBERED_MS = 5_000;
const MAX_REMEMBERED = 100_000;
/** Events that wait while devices are looked up; more are lost, and who watches is told. */
const MAX_WAITING = 10_000;
/** Looking up a filter costs some ms however few devices it is about. */
const LOOK_EVERY_MS = 50;

/** What somebody wants to see events of: devices by name, or all that are in a group and that a filter holds for. */
export interface WantedDevices {
  readonly devices?: ReadonlySet<string> | undefined;
  /** In this group or below. */
  readonly group?: string | undefined;
  /** Text of the filter language. */
  readonly filter?: string | undefined;
}

export interface EventViewingOptions {
  readonly feed: StateFeed;
  readonly devices: Pick<DeviceStore, 'among'>;
  readonly clock: Clock;
  readonly wanted: WantedDevices;
  /** Only what belongs to devices in it is shown. */
  readonly scope: Scope;
  readonly isWanted: (event: StateEvent) => boolean;
  /** `lost`: so many events before these are missing. */
  readonly onEvents: (events: readonly StateEvent[], lost: number) => void;
  readonly onFault: (error: unknown) => void;
}

/**
 * The events that one viewer wants and may see, in their order.
 *
 * Whether a device is in a scope, a group or a fleet is looked up for many events at once and remembered for 5 s; who names devices and
 * sees all is asked nothing.
 */
export class EventViewing {
  readonly #options: EventViewingOptions;
  readonly #end: () => void;
  readonly #members = new Map<string, { readonly isSeen: boolean; readonly untilMs: number }>();
  #scope: Scope;
  #waiting: StateEvent[] = [];
  #lost = 0;
  #looking = false;
  #endWaiting: (() => void) | undefined;
  #ended = false;

  constructor(options: EventViewingOptions) {
    this.#options = options;
    this.#scope = options.scope;
    this.#end = options.feed.watch(options.wanted.devices ?? 'all', (events, lost) => this.#take(events, lost));
  }

  /** What may be seen from now on. */
  rescope(scope: Scope): void {
    if (scope.groups.join() === this.#scope.groups.join()) return;
    this.#scope = scope;
    this.#members.clear();
  }

  end(): void {
    this.#ended = true;
    this.#waiting = [];
    this.#endWaiting?.();
    this.#end();
  }

  #take(all: readonly StateEvent[], lost: number): void {
    this.#lost += lost;
    const events = all.filter(this.#options.isWanted);
    const room = MAX_WAITING - this.#waiting.length;
    this.#lost += Math.max(0, events.length - room);
    this.#waiting.push(...events.slice(0, room));
    if (!this.#isAsked && !this.#looking) this.#pass(this.#drain(), () => true);
    else if (!this.#looking) void this.#look();
  }

  /** Whether anything must be looked up at all. */
  get #isAsked(): boolean {
    const { group, filter } = this.#options.wanted;
    return group !== undefined || filter !== undefined || !isEverything(this.#scope);
  }

  async #look(): Promise<void> {
    this.#looking = true;
    try {
      while (this.#waiting.length > 0 || this.#lost > 0) {
        const events = this.#drain();
        const scope = this.#scope;
        const seen = await this.#seenOf(new Set(events.map(({ device }) => device)));
        if (this.#ended) return;
        // What was looked up with a scope that is not theirs any more is not shown.
        if (scope === this.#scope) this.#pass(events, (device) => seen.has(device));
        else this.#lost += events.length;
        await new Promise<void>((resolve) => {
          const endTimer = this.#options.clock.after(LOOK_EVERY_MS, resolve);
          this.#endWaiting = () => (endTimer(), resolve());
        });
        this.#endWaiting = undefined;
        if (this.#ended) return;
      }
    } catch (error) {
      if (!this.#ended) this.#options.onFault(error);
    } finally {
      this.#looking = false;
    }
  }

  async #seenOf(devices: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const nowMs = this.#options.clock.monotonicMs();
    const seen = new Set<string>();
    const unknown: DeviceId[] = [];
    for (const id of devices) {
      const known = this.#members.get(id);
      if (known !== undefined && known.untilMs > nowMs) {
        if (known.isSeen) seen.add(id);
      } else if (isDeviceId(id)) unknown.push(id);
    }
    if (unknown.length === 0) return seen;
    const { group, filter } = this.#options.wanted;
    const found = await this.#options.devices.among(unknown, { group, filter, scope: this.#scope });
    if (this.#members.size + unknown.length > MAX_REMEMBERED) this.#members.clear();
    const untilMs = nowMs + REMEMBERED_MS;
    for (const id of unknown) this.#members.set(id, { isSeen: found.has(id), untilMs });
    return new Set([...seen, ...found]);
  }

  #drain(): readonly StateEvent[] {
    const events = this.#waiting;
    this.#waiting = [];
    return events;
  }

  #pass(events: readonly StateEvent[], isSeen: (device: string) => boolean): void {
    const seen = events.filter(({ device }) => isSeen(device));
    const lost = this.#lost;
    this.#lost = 0;
    if (seen.length > 0 || lost > 0) this.#options.onEvents(seen, lost);
  }
}
