import { parseJson } from '@selsyn/wire/payload/json-document.ts';
import type { SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import { TelemetryPayloadDecoder } from '@selsyn/wire/payload/telemetry-payload.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import { readCbor } from './cbor/cbor-reader.ts';
import { ShortTexts } from './cbor/short-texts.ts';
import { documentSamples, type DocumentRules } from './document-samples.ts';
import type { PayloadDecoder, PayloadMessage, PayloadVisitor } from './payload-decoder.ts';
import { SampleSheet } from './sample-sheet.ts';

/** The platform's own JSON, for what must be unpacked before it is that. */
export class JsonDecoder implements PayloadDecoder {
  readonly #decoder = new TelemetryPayloadDecoder();

  decode({ data, start, end, arrivalMs }: PayloadMessage, visitor: PayloadVisitor): void {
    this.#decoder.decode(data, start, end, arrivalMs, visitor);
  }
}

/** The platform's own JSON, in CBOR (RFC 8949): `ts` may also be a time (tag 0 or 1). */
export class CborDecoder implements PayloadDecoder {
  readonly #texts = new ShortTexts();
  readonly #sheet: SampleSheet;

  constructor(metrics: readonly MetricSchema[]) {
    this.#sheet = new SampleSheet(metrics);
  }

  decode({ data, start, end, arrivalMs }: PayloadMessage, visitor: PayloadVisitor): void {
    this.#sheet.begin(arrivalMs);
    documentSamples(readCbor(data, start, end, this.#texts), this.#sheet);
    this.#sheet.finish(visitor);
  }
}

/** ThingsBoard lets a value be JSON of any kind: so deep at most. */
const THINGSBOARD_DEPTH = 16;

const THINGSBOARD: DocumentRules = {
  other: (value): SampleValue => JSON.stringify(value),
  // ThingsBoard itself ignores what stands there, and its rule nodes write `metadata`.
  ignoredBesideValues: new Set(['metadata']),
};

/**
 * What ThingsBoard's device API takes at `v1/devices/me/telemetry` (thingsboard.io/docs/reference/mqtt-api): as the platform's own JSON,
 * and a value may be an object or an array. It is kept as a text of JSON.
 */
export class ThingsBoardDecoder implements PayloadDecoder {
  readonly #sheet: SampleSheet;

  constructor(metrics: readonly MetricSchema[]) {
    this.#sheet = new SampleSheet(metrics);
  }

  decode({ data, start, end, arrivalMs }: PayloadMessage, visitor: PayloadVisitor): void {
    this.#sheet.begin(arrivalMs);
    documentSamples(parseJson(data, start, end, THINGSBOARD_DEPTH), this.#sheet, THINGSBOARD);
    this.#sheet.finish(visitor);
  }
}
