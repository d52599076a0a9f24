import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import type { SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import type { Shape } from '@selsyn/wire/payload/shape.ts';
import { NO_TIME } from '@selsyn/wire/payload/telemetry-payload.ts';
import type { PayloadDecoder } from './payload-decoder.ts';

export const ARRIVAL = 1_790_000_000_000;

export type DecodedSample = readonly [timeMs: number | 'arrival', values: Readonly<Record<string, SampleValue>>];

/** All that a decoder makes of a message that came at ARRIVAL. */
export function decode(decoder: PayloadDecoder, payload: Uint8Array | string): readonly DecodedSample[] {
  return decodeWithUnits(decoder, payload).samples;
}

export function decodeWithUnits(
  decoder: PayloadDecoder,
  payload: Uint8Array | string,
): { readonly samples: readonly DecodedSample[]; readonly kept: readonly string[] } {
  const samples: DecodedSample[] = [];
  const kept: string[] = [];
  const take = ({ names }: Shape, timeMs: number, values: ArrayLike<SampleValue>): void => {
    const entries = names.map((name, index) => [name, values[index]!] as const);
    samples.push([timeMs === NO_TIME ? 'arrival' : timeMs, Object.fromEntries(entries)]);
  };
  // Behind and before other bytes, as in the batch of a log.
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
  const data = new Uint8Array(bytes.length + 7).fill(0x5b);
  data.set(bytes, 3);
  const message = { device: 'd', topic: 'telemetry/d', arrivalMs: ARRIVAL, partition: 0, offset: 0 };
  decoder.decode(
    { ...message, data, start: 3, end: 3 + bytes.length },
    { numbers: take, mixed: take, unitKept: (metric, unit) => void kept.push(`${metric} ${unit}`) },
  );
  return { samples, kept };
}

/** Why a decoder refuses a message, with its code; undefined: it does not. Anything but a PayloadError is thrown on. */
export function refusal(decoder: PayloadDecoder, payload: Uint8Array | string): string | undefined {
  try {
    decode(decoder, payload);
    return undefined;
  } catch (error) {
    if (error instanceof PayloadError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}
