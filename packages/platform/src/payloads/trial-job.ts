import { TelemetryPayloadDecoder } from '@selsyn/wire/payload/telemetry-payload.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import type { ScriptRunner } from '../sandbox/script-runner.ts';
import type { DecoderDefinition } from './decoder-definition.ts';
import { type Trial, tryDecoder } from './decoder-trial.ts';
import { decoderOfCodec, makeDecoder } from './make-decoder.ts';
import type { PayloadDecoder } from './payload-decoder.ts';

/** What a message is to be read by: a declaration; the codec of a type, and what is declared under its name; nothing but JSON. */
export type TrialDecoder =
  | { readonly kind: 'declared'; readonly declared: Pick<DecoderDefinition, 'format' | 'compression'> }
  | { readonly kind: 'codec'; readonly codec: string; readonly declared: DecoderDefinition | undefined }
  | { readonly kind: 'plain' };

/** A message to be tried. It can be handed to another thread. */
export interface TrialJob {
  readonly decoder: TrialDecoder;
  readonly payload: Uint8Array;
  readonly arrivalMs: number;
  /** The schema of the type. */
  readonly metrics: readonly MetricSchema[];
  /** The name of the type. */
  readonly type?: string | undefined;
}

/** Who runs what users have declared, so that whoever asks goes on meanwhile. */
export interface Trialer {
  /** @throws SelsynError `request.invalid` where the declaration is wrong, `decoder.busy` */
  try(job: TrialJob): Promise<Trial>;
  /** Whether a script can be loaded. @throws SelsynError `script.invalid`, `script.over-limit`, `decoder.busy` */
  check(source: string): Promise<void>;
}

/** In this thread. @param scripts absent: scripts are refused. @throws SelsynError `request.invalid` */
export function runTrial({ decoder, payload, arrivalMs, metrics, type }: TrialJob, scripts?: ScriptRunner): Trial {
  const surroundings = { metrics, scripts, ...(type !== undefined && { type }) };
  return tryDecoder(readerOf(decoder, surroundings), payload, { arrivalMs, metrics });
}

function readerOf(decoder: TrialDecoder, surroundings: Parameters<typeof makeDecoder>[1]): PayloadDecoder {
  if (decoder.kind === 'plain') return PLAIN_JSON;
  if (decoder.kind === 'declared') return makeDecoder(decoder.declared, surroundings);
  const { codec, declared } = decoder;
  return decoderOfCodec(codec, new Map(declared === undefined ? [] : [[codec, declared]]), surroundings);
}

const PLAIN_JSON: PayloadDecoder = {
  decode({ data, start, end, arrivalMs }, visitor) {
    new TelemetryPayloadDecoder().decode(data, start, end, arrivalMs, visitor);
  },
};
