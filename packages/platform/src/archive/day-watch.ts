import { isSelsynError, systemCode } from '../kernel/errors.ts';
import { listDayFiles } from '../telemetry/day-file-schema.ts';
import { readDayState, type DayState } from './day-state.ts';

/** Since when an hour has its version, as far as was seen. */
interface Seen {
  readonly generation: number;
  readonly version: number;
  readonly sinceMs: number;
}

/** Looks at the day files, and remembers when their hours were seen to change. */
export class DayWatch {
  readonly #telemetryDir: string;
  readonly #seen = new Map<number, Map<number, Seen>>();

  constructor(telemetryDir: string) {
    this.#telemetryDir = telemetryDir;
  }

  /** The days with a file, ascending; a file that cannot be read is given to `onBroken`. @param nowMs monotonic */
  look(nowMs: number, onBroken: (day: number, error: unknown) => void): DayState[] {
    const files = filesOf(this.#telemetryDir);
    for (const day of this.#seen.keys()) if (!files.has(day)) this.#seen.delete(day);
    const states: DayState[] = [];
    for (const [day, [path]] of [...files].sort(([a], [b]) => a - b)) {
      try {
        const state = readDayState(path, day);
        if (state === undefined) continue;
        this.#note(state, nowMs);
        states.push(state);
      } catch (error) {
        onBroken(day, error);
      }
    }
    return states;
  }

  /** When this hour was first seen as it is; monotonic. */
  sinceMs(day: number, hour: number): number {
    return this.#seen.get(day)?.get(hour)?.sinceMs ?? Infinity;
  }

  #note(state: DayState, nowMs: number): void {
    const seen = this.#seen.get(state.day) ?? new Map<number, Seen>();
    this.#seen.set(state.day, seen);
    for (const [hour, version] of state.hours) {
      const before = seen.get(hour);
      if (before?.version === version && before.generation === state.generation) continue;
      seen.set(hour, { generation: state.generation, version, sinceMs: nowMs });
    }
  }
}

function filesOf(telemetryDir: string): ReturnType<typeof listDayFiles> {
  try {
    return listDayFiles(telemetryDir);
  } catch (error) {
    if (!isSelsynError(error) && systemCode(error) === 'ENOENT') return new Map();
    throw error;
  }
}
