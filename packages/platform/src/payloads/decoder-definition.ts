import { SelsynError } from '../kernel/errors.ts';
import type { BatchOptions } from './batch-decoder.ts';
import type { Compression } from './compression.ts';
import type { PackedOptions } from './packed/packed-decoder.ts';
import type { PathsOptions } from './paths/paths-decoder.ts';
import type { ScriptOptions } from './script/script-decoder.ts';
import type { SenmlOptions } from './senml/senml-decoder.ts';

/** How the bytes of a message become samples. */
export type DecoderFormat =
  | { readonly kind: 'json' }
  | { readonly kind: 'cbor' }
  | ({ readonly kind: 'senml' } & SenmlOptions)
  | { readonly kind: 'thingsboard' }
  | ({ readonly kind: 'batch' } & BatchOptions)
  | ({ readonly kind: 'paths' } & PathsOptions)
  | ({ readonly kind: 'packed' } & PackedOptions)
  | ({ readonly kind: 'script' } & ScriptOptions);

export interface DecoderDraft {
  readonly name: string;
  readonly description?: string | undefined;
  readonly format: DecoderFormat;
  /** Default `none`. */
  readonly compression?: Compression | undefined;
}

/** What is absent stays. */
export interface DecoderPatch {
  readonly description?: string | undefined;
  readonly format?: DecoderFormat | undefined;
  readonly compression?: Compression | undefined;
}

/** A decoder that somebody has declared. */
export interface DecoderDefinition {
  readonly name: string;
  readonly description?: string;
  readonly format: DecoderFormat;
  readonly compression: Compression;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** As that of a device type's codec. */
export const DECODER_NAME_PATTERN = /^[A-Za-z0-9:_.-]{1,64}$/;
export const MAX_DECODER_DESCRIPTION = 1000;
/** Of its format, as JSON. */
export const MAX_DECODER_BYTES = 64 * 1024;

/** @throws SelsynError `request.invalid`; what is wrong with the format is found by making the decoder (make-decoder.ts) */
export function checkDecoderDraft({ name, description = '', format }: DecoderDraft): void {
  if (!DECODER_NAME_PATTERN.test(name)) throw invalid('name', 'the name of a decoder is 1 to 64 of A-Z a-z 0-9 : _ . -');
  if (BUILT_IN_DECODERS.has(name)) throw invalid('name', `${name} is built in, and cannot be declared`);
  if (description.length > MAX_DECODER_DESCRIPTION) {
    throw invalid('description', `a description has at most ${MAX_DECODER_DESCRIPTION} characters`);
  }
  if (Buffer.byteLength(JSON.stringify(format)) > MAX_DECODER_BYTES) {
    throw invalid('format', `a decoder has at most ${MAX_DECODER_BYTES} bytes`);
  }
}

export interface BuiltInDecoder {
  readonly description: string;
  readonly format: DecoderFormat;
}

/** What a device type may name without anybody having declared it. All of them take what is compressed too. */
export const BUILT_IN_DECODERS: ReadonlyMap<string, BuiltInDecoder> = new Map([
  ['json', { description: 'The platform’s own JSON, also compressed.', format: { kind: 'json' } }],
  ['cbor', { description: 'The platform’s own JSON, as CBOR (RFC 8949).', format: { kind: 'cbor' } }],
  ['senml', { description: 'SenML (RFC 8428) in JSON or CBOR.', format: { kind: 'senml' } }],
  ['senml-json', { description: 'SenML (RFC 8428) in JSON.', format: { kind: 'senml', encoding: 'json' } }],
  ['senml-cbor', { description: 'SenML (RFC 8428) in CBOR.', format: { kind: 'senml', encoding: 'cbor' } }],
  ['batch', { description: '{"values":[…],"interval":60}: values at equal distances of time.', format: { kind: 'batch' } }],
  ['thingsboard', { description: 'JSON as ThingsBoard’s device API takes it.', format: { kind: 'thingsboard' } }],
]);

function invalid(field: string, reason: string): SelsynError {
  return new SelsynError('request.invalid', reason, { details: { field } });
}
