import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import { checkName } from '@selsyn/wire/payload/sample-checks.ts';
import type { SparkplugMetric } from './sparkplug-payload.ts';
import { dataTypeOf, type DataType } from './sparkplug-values.ts';

/** Where a message stands among others. */
export interface Place {
  /** -1: in a log that was there before: before all others. */
  readonly partition: number;
  readonly offset: number;
  readonly arrivalMs: number;
}

/**
 * Messages of one connection are in one partition, and in order there. A node that comes back may be in another one, which is read at
 * its own pace: there the time of arrival says what was first.
 */
export function isBefore(a: Place, b: Place): boolean {
  if (a.partition === b.partition) return a.offset < b.offset;
  return a.partition === -1 || a.arrivalMs <= b.arrivalMs;
}

/** The birth or the death of a node or of a device. */
export interface Certificate {
  readonly place: Place;
  readonly isBirth: boolean;
  /** Of a node: pairs a birth with its death. */
  readonly bdSeq: number | undefined;
  /** Of a birth: as it came; undefined once it is in the store under `number`. */
  payload: Uint8Array | undefined;
  number: number | undefined;
  /** Made of the payload when it is needed, and given up again where there are too many. */
  definitions: Definitions | undefined;
}

/** What a birth says of one metric. */
export interface Definition {
  readonly name: string;
  readonly type: DataType;
  readonly unit: string | undefined;
  /** Whether telemetry may have a metric of this name. */
  readonly isStorable: boolean;
}

export function newDefinition({ datatype, unit }: SparkplugMetric, name: string): Definition {
  return { name, type: dataTypeOf(datatype), unit, isStorable: isStorable(name) };
}

function isStorable(name: string): boolean {
  try {
    checkName(name, '', PAYLOAD_LIMITS);
    return true;
  } catch (error) {
    if (error instanceof PayloadError) return false;
    throw error;
  }
}

/** What a birth says of its metrics. */
export class Definitions {
  readonly #byAlias = new Map<number | string, Definition>();
  readonly #byName = new Map<string, Definition>();

  /** @returns undefined, with the metric that is wrong, where aliases or names do not say what is meant */
  static of(metrics: readonly SparkplugMetric[]): Definitions | string {
    const definitions = new Definitions();
    for (const metric of metrics) {
      const { name, alias } = metric;
      if (name === undefined || name === '') return 'a metric of the birth has no name';
      const definition = newDefinition(metric, name);
      const other = alias === undefined ? undefined : definitions.#byAlias.get(alias);
      if (other !== undefined && other.name !== name) {
        return `the alias ${alias} stands for ${JSON.stringify(other.name.slice(0, 64))} and ${JSON.stringify(name.slice(0, 64))}`;
      }
      if (alias !== undefined) definitions.#byAlias.set(alias, definition);
      definitions.#byName.set(name, definition);
    }
    return definitions;
  }

  get size(): number {
    return this.#byName.size;
  }

  byAlias(alias: number | string): Definition | undefined {
    return this.#byAlias.get(alias);
  }

  byName(name: string): Definition | undefined {
    return this.#byName.get(name);
  }
}
