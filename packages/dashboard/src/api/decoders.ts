import type { ApiClient } from './client.ts';
import { asObject, number, objects, optionalNumber, optionalObject, optionalText, text, truth, type Json } from './json.ts';
import type { PointValue } from './telemetry.ts';

/** What reads payloads. A device type names it as its codec. */
export interface Decoder {
  readonly name: string;
  readonly description: string | undefined;
  readonly isBuiltIn: boolean;
  readonly format: Json;
  readonly compression: string;
  readonly updatedAtMs: number | undefined;
}

export type DecoderDraft = Pick<Decoder, 'name' | 'format' | 'compression'> & { readonly description: string };

/** How a sample message is written. */
export const PAYLOAD_FIELDS = { hex: 'payloadHex', base64: 'payloadBase64', text: 'payload' } as const;
export type PayloadEncoding = keyof typeof PAYLOAD_FIELDS;

export interface Sample {
  readonly encoding: PayloadEncoding;
  readonly payload: string;
  /** Its units and ranges count; empty: none. */
  readonly deviceType: string;
}

export interface TrialPoint {
  readonly metric: string;
  /** Absent: that of its arrival counts. */
  readonly timeMs: number | undefined;
  readonly value: PointValue;
  readonly unit: string | undefined;
  readonly isOutOfRange: boolean;
}

/** What a message becomes. */
export interface Trial {
  /** The first 1,000. */
  readonly points: readonly TrialPoint[];
  readonly count: number;
  /** Metrics whose unit has no way to that of the type. */
  readonly unitsKept: readonly { readonly metric: string; readonly unit: string }[];
  /** Why it would be a dead letter. */
  readonly error: { readonly code: string; readonly reason: string } | undefined;
}

export async function fetchDecoders(client: ApiClient, signal?: AbortSignal): Promise<readonly Decoder[]> {
  return objects(asObject(await client.get('/decoders', { signal }), 'decoders'), 'items', (source) => ({
    name: text(source, 'name'),
    description: optionalText(source, 'description'),
    isBuiltIn: truth(source, 'builtIn'),
    format: asObject(source['format'], 'format'),
    compression: text(source, 'compression'),
    updatedAtMs: optionalNumber(source, 'updatedAtMs'),
  }));
}

export async function addDecoder(client: ApiClient, draft: DecoderDraft): Promise<void> {
  await client.post('/decoders', draft);
}

export async function updateDecoder(client: ApiClient, { name, ...patch }: DecoderDraft): Promise<void> {
  await client.patch(pathOf(name), patch);
}

export async function removeDecoder(client: ApiClient, name: string): Promise<void> {
  await client.delete(pathOf(name));
}

/** What a decoder that is there makes of a message. */
export async function tryDecoder(client: ApiClient, name: string, sample: Sample): Promise<Trial> {
  return trialFrom(await client.post(`${pathOf(name)}/test`, bodyOf(sample)));
}

/** What one would make of it that is not declared so yet. */
export async function tryDraft(
  client: ApiClient,
  { format, compression }: Pick<DecoderDraft, 'format' | 'compression'>,
  sample: Sample,
): Promise<Trial> {
  return trialFrom(await client.post('/decoders/test', { ...bodyOf(sample), format, compression }));
}

function bodyOf({ encoding, payload, deviceType }: Sample): Json {
  return { [PAYLOAD_FIELDS[encoding]]: payload, ...(deviceType !== '' && { type: deviceType }) };
}

function trialFrom(json: unknown): Trial {
  const source = asObject(json, 'trial');
  const error = optionalObject(source, 'error');
  return {
    points: objects(source, 'points', pointFrom),
    count: number(source, 'count'),
    unitsKept: objects(source, 'unitsKept', (kept) => ({ metric: text(kept, 'metric'), unit: text(kept, 'unit') })),
    error: error === undefined ? undefined : { code: text(error, 'code'), reason: text(error, 'reason') },
  };
}

function pointFrom(source: Json): TrialPoint {
  const value = source['value'];
  return {
    metric: text(source, 'metric'),
    timeMs: optionalNumber(source, 'timeMs'),
    value: typeof value === 'number' || typeof value === 'boolean' ? value : String(value),
    unit: optionalText(source, 'unit'),
    isOutOfRange: source['outOfRange'] === true,
  };
}

function pathOf(name: string): string {
  return `/decoders/${encodeURIComponent(name)}`;
}
