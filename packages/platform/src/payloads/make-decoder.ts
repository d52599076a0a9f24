import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import type { ScriptRunner } from '../sandbox/script-runner.ts';
import { BatchDecoder } from './batch-decoder.ts';
import { type Compression, UnpackingDecoder } from './compression.ts';
import { BUILT_IN_DECODERS, type DecoderDefinition, type DecoderFormat } from './decoder-definition.ts';
import { CborDecoder, JsonDecoder, ThingsBoardDecoder } from './document-decoders.ts';
import { PackedDecoder } from './packed/packed-decoder.ts';
import { PathsDecoder } from './paths/paths-decoder.ts';
import type { PayloadDecoder } from './payload-decoder.ts';
import { ScriptDecoder } from './script/script-decoder.ts';
import { SenmlDecoder } from './senml/senml-decoder.ts';

/** What a decoder is made of, beside its definition. */
export interface DecoderSurroundings {
  /** The schema of the type that it is for: values are brought to its units. */
  readonly metrics: readonly MetricSchema[];
  /** Its name; absent: none. */
  readonly type?: string;
  /** Runs the scripts of this thread; absent: they cannot be used. */
  readonly scripts?: ScriptRunner | undefined;
}

/** Makes what reads a format. @throws SelsynError `request.invalid` that says what is wrong with its definition */
export function makeDecoder(
  { format, compression }: { readonly format: DecoderFormat; readonly compression: Compression },
  surroundings: DecoderSurroundings,
): PayloadDecoder {
  const decoder = formatDecoder(format, surroundings);
  return compression === 'none' ? decoder : new UnpackingDecoder(compression, decoder);
}

/** What reads the payloads of a type that has a codec. Where nobody knows the codec it refuses all of them, and says why. */
export function decoderOfCodec(
  codec: string,
  declared: ReadonlyMap<string, DecoderDefinition>,
  surroundings: DecoderSurroundings,
): PayloadDecoder {
  const known = declared.get(codec) ?? builtIn(codec);
  if (known === undefined) {
    return new RefusingDecoder(`The codec of the device type is "${codec}", and there is no decoder of this name.`);
  }
  try {
    return makeDecoder(known, surroundings);
  } catch (error) {
    // It was made when it was declared: only a newer program can have known more.
    const reason = error instanceof Error ? error.message : String(error);
    return new RefusingDecoder(`The decoder "${codec}" of the device type cannot be used: ${reason}.`);
  }
}

function builtIn(codec: string): { readonly format: DecoderFormat; readonly compression: Compression } | undefined {
  const found = BUILT_IN_DECODERS.get(codec);
  return found && { format: found.format, compression: 'auto' };
}

function formatDecoder(format: DecoderFormat, { metrics, type = '', scripts }: DecoderSurroundings): PayloadDecoder {
  switch (format.kind) {
    case 'json':
      return new JsonDecoder();
    case 'cbor':
      return new CborDecoder(metrics);
    case 'senml':
      return new SenmlDecoder(metrics, format);
    case 'thingsboard':
      return new ThingsBoardDecoder(metrics);
    case 'batch':
      return new BatchDecoder(metrics, format);
    case 'paths':
      return new PathsDecoder(metrics, format);
    case 'packed':
      return new PackedDecoder(metrics, format);
    case 'script':
      if (scripts === undefined)
        throw new SelsynError('request.invalid', 'scripts are not run here', { details: { field: 'format' } });
      return new ScriptDecoder({ runner: scripts, source: format.source, type });
  }
}

/** Where nobody knows how to read: every message is a dead letter with this reason. */
class RefusingDecoder implements PayloadDecoder {
  readonly #reason: string;

  constructor(reason: string) {
    this.#reason = reason;
  }

  decode(): void {
    throw new PayloadError('malformed', this.#reason);
  }
}
