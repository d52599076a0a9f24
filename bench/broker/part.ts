import type { Certificates } from '../harness/certificates.ts';
import { IS_SHORT } from '../harness/phase.ts';
import type { Row } from '../harness/report.ts';

/** What all parts of the claim share. */
export interface PartContext {
  /** Whether mosquitto takes part. */
  readonly hasMosquitto: boolean;
  /** Undefined where there can be no TLS load here. */
  readonly certificates: Certificates | undefined;
}

/** One part of the claim `broker`: a few rows, measured by themselves. */
export interface Part {
  readonly name: string;
  run(context: PartContext): Promise<PartResult>;
}

export interface PartResult {
  readonly rows: readonly Row[];
  readonly measured: unknown;
}

/** How long a load at full speed runs, and how many times. */
export const FULL_SPEED: { readonly seconds: number; readonly warmup: number } = IS_SHORT
  ? { seconds: 0.5, warmup: 0.3 }
  : { seconds: 2, warmup: 0.8 };
export const ROUNDS: number = IS_SHORT ? 1 : 3;

export type Side = 'selsyn' | 'mosquitto';

/** What each side did in each round. Nothing of mosquitto's where it is not installed. */
export interface Beside<T> {
  readonly selsyn: readonly T[];
  readonly mosquitto: readonly T[];
}

/** Gathers what is measured, by workload and side. */
export class Tally<T> {
  readonly #rounds = new Map<string, { readonly selsyn: T[]; readonly mosquitto: T[] }>();

  add(workload: string, side: Side, value: T): void {
    const rounds = this.#rounds.get(workload) ?? { selsyn: [], mosquitto: [] };
    rounds[side].push(value);
    this.#rounds.set(workload, rounds);
  }

  of(workload: string): Beside<T> {
    return this.#rounds.get(workload) ?? { selsyn: [], mosquitto: [] };
  }

  toJSON(): Readonly<Record<string, Beside<T>>> {
    return Object.fromEntries(this.#rounds);
  }
}
