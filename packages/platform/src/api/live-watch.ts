import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import { scopeIncludes, type Scope } from '../registry/scope.ts';
import type { LiveUpdate } from '../telemetry/telemetry-queries.ts';

/** How long a device that was moved to another group may still be seen, or not be seen yet. */
const REMEMBERED_MS = 5_000;
const MAX_REMEMBERED = 200_000;
/** Updates that wait while groups are looked up; more are dropped, and the reader is told. */
const MAX_WAITING = 20_000;

/** Groups of devices, as they were a moment ago: updates come far more often than devices move. */
export class RecentGroups {
  readonly #devices: Pick<DeviceStore, 'groupOf'>;
  readonly #clock: Clock;
  readonly #groups = new Map<DeviceId, { readonly group: string | undefined; readonly untilMs: number }>();

  constructor(dependencies: { readonly devices: Pick<DeviceStore, 'groupOf'>; readonly clock: Clock }) {
    this.#devices = dependencies.devices;
    this.#clock = dependencies.clock;
  }

  /** The groups of those of the devices that there are. */
  async of(ids: Iterable<DeviceId>): Promise<ReadonlyMap<DeviceId, string>> {
    const nowMs = this.#clock.monotonicMs();
    const wanted = [...new Set(ids)];
    const unknown = wanted.filter((id) => (this.#groups.get(id)?.untilMs ?? -Infinity) <= nowMs);
    if (unknown.length > 0) this.#remember(unknown, await this.#devices.groupOf(unknown), nowMs + REMEMBERED_MS);
    const found = new Map<DeviceId, string>();
    for (const id of wanted) {
      const group = this.#groups.get(id)?.group;
      if (group !== undefined) found.set(id, group);
    }
    return found;
  }

  #remember(ids: readonly DeviceId[], groups: ReadonlyMap<DeviceId, string>, untilMs: number): void {
    if (this.#groups.size + ids.length > MAX_REMEMBERED) this.#groups.clear();
    for (const id of ids) this.#groups.set(id, { group: groups.get(id), untilMs });
  }
}

/** Passes on those of the updates that belong to devices in a scope, in their order. */
export class ScopedUpdates {
  readonly #groups: RecentGroups;
  readonly #send: (updates: readonly LiveUpdate[]) => void;
  readonly #onFault: (error: unknown) => void;
  #waiting: LiveUpdate[] = [];
  #looking = false;
  #ended = false;
  scope: Scope;
  /** Updates that there was no room for, since the start. */
  dropped = 0;

  constructor(options: {
    readonly groups: RecentGroups;
    readonly scope: Scope;
    readonly send: (updates: readonly LiveUpdate[]) => void;
    readonly onFault: (error: unknown) => void;
  }) {
    this.#groups = options.groups;
    this.scope = options.scope;
    this.#send = options.send;
    this.#onFault = options.onFault;
  }

  take(updates: readonly LiveUpdate[]): void {
    const room = MAX_WAITING - this.#waiting.length;
    this.dropped += Math.max(0, updates.length - room);
    this.#waiting.push(...updates.slice(0, room));
    if (!this.#looking) void this.#look();
  }

  end(): void {
    this.#ended = true;
    this.#waiting = [];
  }

  async #look(): Promise<void> {
    this.#looking = true;
    try {
      while (this.#waiting.length > 0) {
        const updates = this.#waiting;
        this.#waiting = [];
        const groups = await this.#groups.of(updates.map(({ device }) => device));
        const seen = updates.filter(({ device }) => scopeIncludes(this.scope, groups.get(device) ?? NOWHERE));
        if (seen.length > 0 && !this.#ended) this.#send(seen);
      }
    } catch (error) {
      this.#onFault(error);
    } finally {
      this.#looking = false;
    }
  }
}

/** What is not known is in no group: no scope but that of everything includes it, and that one is not asked. */
const NOWHERE = '';
