import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';

const LOOK_MS = 10_000;
/** What was unlinked is not free before everybody has closed it: for so long it is counted as if it were. */
const CREDIT_MS = 60_000;
/** It is told of at this many floors. */
const LOW = 2;
/** It is over at this many floors: not on and off with each file. */
const RESUME = 1.25;
const REMIND_MS = 3_600_000;
/** No more files go in one look: between two looks others have their turn. */
const FILES_A_LOOK = 16;
/** A floor is never more than this share of the volume. */
const LARGEST_SHARE = 0.05;

/** `low`: it is near the floor. `short`: it is below, and the oldest raw data goes. `refusing`: telemetry is not taken. */
export type SpaceState = 'ok' | 'low' | 'short' | 'refusing';

export interface SpaceStatus {
  readonly state: SpaceState;
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly floorBytes: number;
  readonly whenShort: 'drop-oldest' | 'refuse';
  readonly sinceMs: number;
}

export interface FreeSpaceParts {
  /** Of the volume that the data folder is on. */
  readonly volume: () => { readonly sizeBytes: number; readonly freeBytes: number };
  readonly floorBytes: number;
  readonly whenShort: 'drop-oldest' | 'refuse';
  /** Lets go of the oldest raw data that may go. @returns the bytes; undefined: there is none */
  readonly dropOldest: () => Promise<number | undefined>;
  /** From now on telemetry is refused, or taken again. */
  readonly refuse: (refusing: boolean) => void;
  /** The state has changed, or has been other than `ok` for an hour. */
  readonly announce: (status: SpaceStatus) => void;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/**
 * Keeps a floor of free space on the volume, so that what the rest of the platform has to write (the registry, shadows, the
 * rollups that old points may be let go for) finds room.
 *
 *   free > 2 floors      ok
 *   1 to 2 floors        low: it is announced, nothing happens yet
 *   below the floor      short: the oldest raw data goes, by days, whatever its age; what is held or not archived stays
 *   nothing may go       refusing: telemetry is refused (log.full, PUBACK 0x97, HTTP 507) until 1.25 floors are free
 *
 * With `whenShort: refuse` nothing goes, and telemetry is refused at once.
 */
export class FreeSpace implements AsyncDisposable {
  readonly #parts: FreeSpaceParts;
  #credit: { readonly freeBytes: number; readonly untilMs: number } | undefined;
  #status: SpaceStatus;
  #announcedMs = -Infinity;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: FreeSpaceParts) {
    this.#parts = parts;
    this.#status = { state: 'ok', ...this.#measure(), whenShort: parts.whenShort, sinceMs: parts.clock.now() };
  }

  get status(): SpaceStatus {
    return { ...this.#status, ...this.#measure() };
  }

  start(): void {
    const again = async (): Promise<void> => {
      try {
        await this.look();
      } catch (error) {
        this.#parts.logLines.error({ err: error }, 'Nobody knows how much space is free: the volume could not be looked at');
      }
      if (!this.#stopped) this.#cancel = this.#parts.clock.after(LOOK_MS, () => void again());
    };
    void again();
  }

  /** Acts on what is free now; joins a look that is under way. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#looking?.catch(() => undefined);
  }

  async #look(): Promise<void> {
    const { whenShort } = this.#parts;
    let { freeBytes, floorBytes } = this.#effective();
    if (freeBytes < floorBytes && whenShort === 'drop-oldest') {
      if (this.#status.state !== 'refusing') this.#become('short');
      freeBytes = await this.#makeRoom(floorBytes);
    }
    this.#become(stateOf(freeBytes, floorBytes, this.#status.state));
  }

  async #makeRoom(floorBytes: number): Promise<number> {
    const { dropOldest, clock } = this.#parts;
    for (let files = 0; files < FILES_A_LOOK && !this.#stopped; files++) {
      const { freeBytes } = this.#effective();
      if (freeBytes >= floorBytes) return freeBytes;
      const freed = await dropOldest();
      if (freed === undefined) return freeBytes;
      this.#credit = { freeBytes: freeBytes + freed, untilMs: clock.monotonicMs() + CREDIT_MS };
    }
    return Math.max(floorBytes, this.#effective().freeBytes);
  }

  #become(state: SpaceState): void {
    const { clock, refuse, announce, logLines, whenShort } = this.#parts;
    const changed = state !== this.#status.state;
    const nowMs = clock.monotonicMs();
    const status: SpaceStatus = {
      state,
      ...this.#measure(),
      whenShort,
      sinceMs: changed ? clock.now() : this.#status.sinceMs,
    };
    this.#status = status;
    // Each time: it is one store to memory, and whoever was started anew learns it.
    refuse(state === 'refusing');
    if (!changed && (state === 'ok' || nowMs - this.#announcedMs < REMIND_MS)) return;
    this.#announcedMs = nowMs;
    const { freeBytes, floorBytes } = status;
    if (state === 'ok') logLines.info({ freeBytes, floorBytes }, 'The volume has room again');
    else if (state === 'refusing')
      logLines.error({ freeBytes, floorBytes }, 'The volume is short of space, and nothing more may go: telemetry is refused');
    else if (state === 'short')
      logLines.warn({ freeBytes, floorBytes }, 'The volume is short of space: the oldest raw telemetry is let go');
    else logLines.warn({ freeBytes, floorBytes, whenShort }, 'The volume is near its floor of free space');
    announce(status);
  }

  #effective(): { freeBytes: number; floorBytes: number } {
    const { freeBytes, floorBytes } = this.#measure();
    const credit = this.#credit;
    if (credit === undefined || this.#parts.clock.monotonicMs() > credit.untilMs) return { freeBytes, floorBytes };
    return { freeBytes: Math.max(freeBytes, credit.freeBytes), floorBytes };
  }

  #measure(): { readonly sizeBytes: number; readonly freeBytes: number; readonly floorBytes: number } {
    const volume = this.#parts.volume();
    return { ...volume, floorBytes: Math.min(this.#parts.floorBytes, Math.floor(volume.sizeBytes * LARGEST_SHARE)) };
  }
}

function stateOf(freeBytes: number, floorBytes: number, before: SpaceState): SpaceState {
  if (freeBytes < floorBytes) return 'refusing';
  if ((before === 'refusing' || before === 'short') && freeBytes < floorBytes * RESUME) return before;
  return freeBytes < floorBytes * LOW ? 'low' : 'ok';
}
